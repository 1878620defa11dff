"""Server-sent events out of the bytes of a response. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass

from hubbub.kernel.errors import TooLarge


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event that carries something: a message, an id to go on from, or a word on when to."""

    data: bytes
    id: str | None = None
    retry_ms: int | None = None


class Events:
    """Cuts events out of pieces as they come."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rest = bytearray()
        self._searched = 0
        """Up to here there is no end of a line in the rest."""
        self._data: list[bytes] = []
        self._size = 0
        self._id: str | None = None
        self._retry_ms: int | None = None

    def fed(self, piece: bytes) -> Iterator[Event]:
        """The events that are whole with this piece.

        Raises:
            TooLarge: one of them is over the bound.
        """
        self._rest += piece
        for line in self._lines():
            if line:
                self._field(line)
            elif (event := self._ended()) is not None:
                yield event
        self._check(len(self._rest))

    def _lines(self) -> Iterator[bytes]:
        # Those that write events end lines with LF or CRLF; a CR alone is allowed and not seen.
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(self._rest)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(value)
                self._check(self._size)
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self._retry_ms = int(value)
            case _:  # a comment, or a kind of event that says no more than its data
                pass

    def _ended(self) -> Event | None:
        event = Event(data=b"\n".join(self._data), id=self._id, retry_ms=self._retry_ms)
        self._data, self._size, self._id, self._retry_ms = [], 0, None, None
        return event if event != Event(data=b"") else None

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            raise TooLarge(f"an event is over {self._bytes_max} bytes")
