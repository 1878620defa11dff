"""Server-sent events out of chunks, as the HTML standard has them. No I/O."""

import re
from dataclasses import dataclass
from typing import Final

from hubbub.kernel.errors import TooLarge

ENDS: Final = re.compile(rb"\r\n|\n|\r")


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
        self._rest = bytearray()
        self._searched = 0
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
        self._rest += chunk
        found: list[Event] = []
        start = 0
        while end := ENDS.search(self._rest, max(start, self._searched)):
            if end.group() == b"\r" and end.end() == len(self._rest):
                break  # it may be half of an end
            event = self._line(bytes(self._rest[start : end.start()]))
            start = end.end()
            if event is not None:
                found.append(event)
        del self._rest[:start]
        # What was looked through is not looked through again with every chunk of a long line.
        self._searched = len(self._rest) - self._rest.endswith(b"\r")
        self._check(self._size + len(self._rest))
        return found

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
