"""What must be known of a message to send it on; all else of it stays bytes. No I/O."""

from typing import Final

import msgspec

from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.mcp import INTERNAL_ERROR, NAMED, VERSION_KEY, RequestId
from hubbub.upstreams.mcp.headers import header_value

# May be asked again although nobody knows whether the first time counted: they change nothing, or
# what they change is the same the second time.
REPEATABLE: Final = frozenset(
    {
        "initialize", "ping", "server/discover", "logging/setLevel", "tools/list", "prompts/list",
        "resources/list", "resources/templates/list", "resources/read",
    }
)  # fmt: skip


class Params(msgspec.Struct, frozen=True, rename={"meta": "_meta"}):
    name: object = None
    uri: object = None
    taskId: object = None
    requestId: object = None  # as it is on the wire
    protocolVersion: object = None
    arguments: msgspec.Raw = msgspec.Raw(b"null")
    meta: object = None


class Envelope(msgspec.Struct, frozen=True):
    """A request, a notification, or an answer, which has no method."""

    id: RequestId | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def asks(self) -> bool:
        return self.method is not None and self.id is not None

    @property
    def answers(self) -> bool:
        return self.method is None


_envelope: Final = msgspec.json.Decoder(Envelope)
_params: Final = msgspec.json.Decoder(Params)


def opened(line: bytes) -> Envelope | None:
    """What a line says of itself; None where it is no message."""
    try:
        return _envelope.decode(line)
    except UNREADABLE:
        return None


def params_of(envelope: Envelope) -> Params:
    try:
        return _params.decode(envelope.params)
    except UNREADABLE:
        return Params()


def revision_in(params: Params) -> str | None:
    """The revision that a request of the newer kind names; None in one of the older kind."""
    version = params.meta.get(VERSION_KEY) if isinstance(params.meta, dict) else None
    return version if isinstance(version, str) else None


def agreed(line: bytes) -> str | None:
    """The revision that an answer to `initialize` settles on; None where it refuses."""
    envelope = opened(line)
    try:
        version = _params.decode(envelope.result).protocolVersion if envelope else None
    except UNREADABLE:
        return None
    return version if isinstance(version, str) else None


def headers_of(method: str, params: Params, version: str) -> dict[str, str]:
    """What the newer revision says in headers too."""
    headers = {"MCP-Protocol-Version": header_value(version), "Mcp-Method": header_value(method)}
    named = getattr(params, NAMED[method]) if method in NAMED else None
    return {**headers, "Mcp-Name": header_value(named)} if isinstance(named, str) else headers


def failure(
    id: RequestId | None, message: str, data: object = None, code: int = INTERNAL_ERROR
) -> bytes:
    """An answer in place of one that will not come."""
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "error": error})


def one_line(message: bytes) -> bytes:
    """A message on one line. Between its values a line may end, within them never."""
    return message.replace(b"\r", b" ").replace(b"\n", b" ").strip()
