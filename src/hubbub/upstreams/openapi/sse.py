"""Events out of a stream of bytes, as `text/event-stream` has them. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass

from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.upstreams.openapi.response import too_large


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. Its type is empty where none is said."""

    data: str
    type: str = ""
    id: str = ""


class EventStream:
    """Cuts what comes into events. A line may end in LF, CR or both, and anywhere in a chunk."""

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._rest = bytearray()
        self._after_cr = False
        self._began = False
        self._data: list[str] = []
        self._size = 0
        self._type = ""
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that end in this chunk.

        Raises:
            TooLarge: if one of them does not end.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r") if chunk else self._after_cr
        lines = _lines(chunk)
        for line in lines[:-1]:
            whole = bytes(self._rest) + line
            self._rest.clear()
            event = self._line(whole)
            if event is not None:
                yield event
        self._rest += lines[-1]
        if len(self._rest) + self._size > self._bytes_max:
            raise too_large(self._bytes_max)

    def _line(self, line: bytes) -> Event | None:
        if not self._began:
            self._began = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._event()
        name, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._size += len(line)
                if self._size > self._bytes_max:
                    raise too_large(self._bytes_max)
                self._data.append(value)
            case "event":
                self._type = value
            case "id" if "\0" not in value:
                self._id = value
        return None

    def _event(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._type, self._size = [], "", 0
        return Event(data="\n".join(data), type=kind, id=self._id) if data else None


def _lines(chunk: bytes) -> list[bytes]:
    """What stands between the ends of lines; the last has not ended."""
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return chunk.split(b"\n")
