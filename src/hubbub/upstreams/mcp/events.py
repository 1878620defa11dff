"""Server-sent events out of chunks, as the HTML standard has them. No I/O."""

from dataclasses import dataclass

from hubbub.kernel.errors import TooLarge


@dataclass(frozen=True, kw_only=True)
class Event:
    kind: str
    data: bytes
    id: str | None = None


class Events:
    """Events out of chunks.

    `retry_ms` and `last_id` are what the stream has said so far of how it can be taken up again.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rest = b""
        self._kind = ""
        self._data: list[bytes] = []
        self._size = 0
        self.retry_ms: int | None = None
        self.last_id: str | None = None

    def fed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk.

        Raises:
            TooLarge: if one is over the limit. The stream cannot be read on.
        """
        # A carriage return may end a line of its own, or begin the end of one in the next chunk.
        data = self._rest + chunk
        held = data.endswith(b"\r")
        lines = (data[:-1] if held else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = lines.split(b"\n")
        self._rest = rest + (b"\r" if held else b"")
        self._check(self._size + len(self._rest))
        return [event for line in whole if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._ended()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                self._size += len(value) + 1
                self._check(self._size)
                self._data.append(value)
            case b"event":
                self._kind = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self.last_id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry_ms = int(value)
        return None

    def _ended(self) -> Event | None:
        kind, data = self._kind or "message", b"\n".join(self._data)
        had_data = bool(self._data)
        self._kind, self._size = "", 0
        self._data.clear()
        return Event(kind=kind, data=data, id=self.last_id) if had_data else None

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            raise TooLarge("an event is too large", maximum=self._bytes_max)
