"""JSON-RPC as an MCP server speaks it. Results and parameters stay bytes until somebody needs them.

No I/O.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.frames import NOTHING
from hubbub.protocol.mcp import RequestId, RpcError

ID: Final = re.compile(rb'"id"\s*:\s*(\d{1,18})\b')
"""The hub's own ids are whole numbers."""
ENDS_BYTES: Final = 256


class Failure(msgspec.Struct, frozen=True):
    code: int
    message: str = ""
    data: Raw = NOTHING


class Incoming(msgspec.Struct, frozen=True):
    """A request, a notification or a response: whichever of its fields are there."""

    id: RequestId | None = None
    method: str | None = None
    params: Raw = NOTHING
    result: Raw = NOTHING
    error: Failure | None = None

    @property
    def answers(self) -> bool:
        """Whether it is a response."""
        return self.method is None and self.id is not None

    def result_or_raise(self) -> Raw:
        """The result.

        Raises:
            RpcError: what the server answered instead.
        """
        if self.error is not None:
            data = msgspec.json.decode(self.error.data) if bytes(self.error.data) else None
            raise RpcError(self.error.code, self.error.message, data)
        return self.result if bytes(self.result) else Raw(b"{}")


_decode = msgspec.json.Decoder(Incoming).decode
_decode_batch = msgspec.json.Decoder(list[Incoming]).decode


def incoming(data: bytes) -> list[Incoming]:
    """The message in `data`, or the messages of a batch, which one older revision has.

    Raises:
        Invalid: if it is no JSON-RPC.
    """
    try:
        return _decode_batch(data) if data[:1] == b"[" else [_decode(data)]
    except UNREADABLE as error:
        raise Invalid("the server sent what is no JSON-RPC message", reason=str(error)) from error


def request(id: RequestId, method: str, params: Mapping[str, object]) -> bytes:
    return encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def notification(method: str, params: Mapping[str, object] | None = None) -> bytes:
    return encode(
        {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}
    )


def answer(id: RequestId, result: object) -> bytes:
    return encode({"jsonrpc": "2.0", "id": id, "result": result})


def refusal(id: RequestId, error: RpcError) -> bytes:
    return encode({"jsonrpc": "2.0", "id": id, "error": error.body})


def id_in(start: bytes, end: bytes) -> int | None:
    """The id of a message of which only both ends were kept, if one can be seen there."""
    found = ID.search(start) or next(reversed(list(ID.finditer(end))), None)
    return int(found.group(1)) if found else None


class Overlong(msgspec.Struct, frozen=True):
    """A line that was too long to keep: how it began and how it ended."""

    start: bytes
    end: bytes
    size: int


class Lines:
    """Lines out of chunks. A line over the limit is passed over, not kept."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0
        self._start = b""
        self._end = b""

    def fed(self, chunk: bytes) -> list[bytes | Overlong]:
        """The lines that end in this chunk."""
        found: list[bytes | Overlong] = []
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._keep(part)
            line = self._taken()
            if isinstance(line, Overlong) or line.strip():
                found.append(line)
        self._keep(rest)
        return found

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size > self._bytes_max:
            if self._parts:
                self._start = b"".join(self._parts)[:ENDS_BYTES]
                self._parts.clear()
            elif not self._start:
                self._start = part[:ENDS_BYTES]
            self._end = (self._end + part[-ENDS_BYTES:])[-ENDS_BYTES:]
            return
        self._parts.append(part)

    def _taken(self) -> bytes | Overlong:
        overlong = Overlong(self._start, self._end, self._size)
        line = b"".join(self._parts)
        over = self._size > self._bytes_max
        self._parts.clear()
        self._size, self._start, self._end = 0, b"", b""
        return overlong if over else line
