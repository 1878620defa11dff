"""The response envelope `{data, meta}`: every result travels in one.

`meta.source` says where it comes from: `local` (a hub's or a spoke's own function), `http` (an HTTP
API) or `mcp` (a tool of an MCP server).
"""

from typing import Literal

import msgspec
from msgspec import Raw

from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import UNREADABLE, encode


class LocalMeta(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="source", tag="local"
):
    operation_id: str
    timestamp: int  # epoch milliseconds


class HttpMeta(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="source", tag="http"
):
    status_code: int
    headers: dict[str, str]
    content_type: str


class McpMeta(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="source", tag="mcp"
):
    is_error: bool
    content: list[dict[str, object]]
    structured_content: object = None
    meta: dict[str, object] | None = msgspec.field(default=None, name="_meta")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A result, its bytes as they came."""

    data: Raw
    meta: Raw


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    source: Literal["local", "http", "mcp"]


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_source = msgspec.json.Decoder(_Source).decode


def local(operation_id: str, data: object) -> bytes:
    """An envelope around what a function returned; `data` may be `Raw`."""
    meta = LocalMeta(operation_id=operation_id, timestamp=epoch_ms())
    return encode({"data": data, "meta": meta})


def opened(raw: Raw | bytes) -> Envelope:
    """The two halves of an envelope.

    Raises:
        Invalid: if it is not one; providers must answer with envelopes.
    """
    try:
        envelope = _decode_envelope(raw)
        _decode_source(envelope.meta)
    except UNREADABLE as error:
        raise Invalid(
            "the answer is not a response envelope",
            errors=[{"field": "output", "expected": "{data, meta: {source: local | http | mcp}}"}],
            reason=str(error),
        ) from error
    return envelope
