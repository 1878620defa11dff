"""Results of `tools/call` and its kin, out of what operations answer with. Bytes where they can be
left alone. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, UnsetType

from hubbub.interfaces.mcp.rpc import SERVER
from hubbub.kernel.errors import HubError, Invalid
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.envelope import Envelope
from hubbub.protocol.mcp import INTERNAL_ERROR, RESERVED, SERVER_KEY, RpcError

SOURCE: Final = b'{"source":"mcp"'
FILLED: Final = b'"isError":false,"content":[],'
"""What an envelope has that the result did not say."""
OWN_META: Final = encode({SERVER_KEY: SERVER})
COMPLETE: Final = b'"resultType":"complete",'
OWN: Final = b'"_meta":%b,' % OWN_META

# What stands behind the hub changes, and nobody sees all of it.
CACHED: Final = {"ttlMs": 60_000, "cacheScope": "private"}
UNCACHED: Final = {"ttlMs": 0, "cacheScope": "private"}

_envelopes = msgspec.json.Decoder(Envelope)


class _Said(msgspec.Struct, frozen=True, rename="camel"):
    """What a result has said of itself already."""

    result_type: str | UnsetType = msgspec.UNSET
    ttl_ms: Raw | UnsetType = msgspec.UNSET
    cache_scope: Raw | UnsetType = msgspec.UNSET
    meta: dict[str, Raw] | UnsetType | None = msgspec.field(default=msgspec.UNSET, name="_meta")


_said = msgspec.json.Decoder(_Said)


def own(value: Mapping[str, object], *, modern: bool, cached: Mapping[str, object] = {}) -> bytes:
    """A result of the hub's own."""
    if not modern:
        return encode(value)
    return encode(
        {"resultType": "complete", "_meta": {SERVER_KEY: SERVER}, **cached, **value},
    )


def relayed(given: Raw | bytes, *, modern: bool, cacheable: bool = False) -> bytes:
    """A server's result for a client of either era: as it came, but for what concerns one hop."""
    body = bytes(given)
    try:
        said = _said.decode(body)
    except UNREADABLE as error:
        raise RpcError(INTERNAL_ERROR, "the server's result cannot be read") from error
    meta = said.meta
    if isinstance(meta, dict) and (modern or any(key.startswith(RESERVED) for key in meta)):
        return _with_meta(body, meta, modern=modern, cacheable=cacheable)
    if not modern:
        return body
    more = b"" if isinstance(said.result_type, str) else COMPLETE
    more += OWN if isinstance(meta, UnsetType) else b""
    if cacheable:
        more += b'"ttlMs":0,' if isinstance(said.ttl_ms, UnsetType) else b""
        more += b'"cacheScope":"private",' if isinstance(said.cache_scope, UnsetType) else b""
    return _begun(more, body)


def _begun(more: bytes, body: bytes) -> bytes:
    """An object that begins with `more`, which ends in a comma."""
    rest = body[body.index(b"{") + 1 :]
    return b"{%b%b" % (more[:-1] if rest.lstrip().startswith(b"}") else more, rest)


def _with_meta(body: bytes, meta: dict[str, Raw], *, modern: bool, cacheable: bool) -> bytes:
    given = msgspec.json.decode(body, type=dict[str, Raw])
    kept: dict[str, object] = {
        key: value for key, value in meta.items() if not key.startswith(RESERVED)
    }
    if not modern:
        return encode({**given, "_meta": kept})
    hints = UNCACHED if cacheable else {}
    kept[SERVER_KEY] = SERVER
    return encode({"resultType": "complete", **hints, **given, "_meta": kept})


def of_envelope(output: Raw, *, modern: bool) -> bytes:
    """The result of `tools/call` that an operation's answer makes. One that came from an MCP server
    is given as it was."""
    envelope = _envelopes.decode(output)
    meta = bytes(envelope.meta)
    if meta.startswith(SOURCE):
        rest = meta[len(SOURCE) :].lstrip(b", \n")
        # What is not a tool's last word has none of a tool's fields.
        if rest.startswith(FILLED) and (b"input_required" in rest or b'"task' in rest):
            said = _said.decode(meta).result_type
            rest = rest.removeprefix(FILLED) if said not in (msgspec.UNSET, "complete") else rest
        return relayed(b"{" + rest, modern=modern)
    return own(told(msgspec.json.decode(envelope.data)), modern=modern)


class _Begun(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str = ""
    task_id: str | UnsetType = msgspec.UNSET


def task_of(result: bytes) -> str | None:
    """The id of the task that a server has begun instead of answering, if it has."""
    begun = msgspec.json.decode(result, type=_Begun)
    return begun.task_id if begun.result_type == "task" and isinstance(begun.task_id, str) else None


def data_of(output: Raw) -> Raw:
    """What an operation answered with."""
    return _envelopes.decode(output).data


def told(value: object) -> dict[str, object]:
    """What a tool has to say, in words and as data."""
    if isinstance(value, str):
        return {"content": [{"type": "text", "text": value}], "isError": False}
    content = [{"type": "text", "text": encode(value).decode()}]
    if isinstance(value, dict):
        return {"content": content, "structuredContent": value, "isError": False}
    return {"content": content, "isError": False}


def failed(error: HubError) -> dict[str, object]:
    """What an agent needs to mend its call, in words and as data."""
    about = {"code": error.name, "message": error.message, "details": error.details}
    text = f"{error.name}: {error.message}"
    if isinstance(error, Invalid) or error.details:
        text += f" {encode(error.details).decode()}"
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": {"error": about},
        "isError": True,
    }


def rpc_error_of(error: HubError) -> RpcError | None:
    """What an MCP server answered instead of a result; None if it was not that which failed."""
    given: Any = error.details.get("rpc")
    if not isinstance(given, dict) or not isinstance(given.get("code"), int):
        return None
    return RpcError(given["code"], str(given.get("message") or error.message), given.get("data"))
