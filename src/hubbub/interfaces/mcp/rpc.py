"""MCP's messages over HTTP, of both eras, told apart and checked."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hubbub import __version__
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.frames import Progressed
from hubbub.protocol.mcp import (
    CAPABILITIES_KEY,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN,
    PARSE_ERROR,
    SERVER_KEY,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    RequestId,
    RpcError,
)

HTTP_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""Of the newer revision; the older ones answer errors with 200."""

SERVER: Final = {"name": "hubbub", "title": "Hubbub", "version": __version__}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A request, or a notification, which has no id."""

    jsonrpc: str
    method: str
    id: RequestId | msgspec.UnsetType = msgspec.UNSET
    params: dict[str, Any] = {}

    @property
    def meta(self) -> dict[str, Any]:
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}

    @property
    def modern(self) -> bool:
        """Whether it speaks the revision without sessions, or means to."""
        return VERSION_KEY in self.meta

    @property
    def progress_token(self) -> RequestId | None:
        token = self.meta.get("progressToken")
        return token if isinstance(token, str | int) else None


_messages = msgspec.json.Decoder(Message)


def parsed(body: bytes) -> Message:
    """The one message of a request's body.

    Raises:
        RpcError: if it is not JSON, or not a single message.
    """
    try:
        message = _messages.decode(body)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_REQUEST, f"not a single JSON-RPC message: {error}") from error
    except UNREADABLE as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}") from error
    if message.jsonrpc != "2.0":
        raise RpcError(INVALID_REQUEST, "jsonrpc must be 2.0")
    return message


def check_modern(message: Message, headers: Mapping[str, str]) -> None:
    """See that a request of the newer revision is one, and that its headers say the same.

    Raises:
        RpcError: names what is missing or differs.
    """
    meta = message.meta
    if CAPABILITIES_KEY not in meta:
        raise RpcError(INVALID_PARAMS, f"params._meta is missing {CAPABILITIES_KEY}")
    version = meta[VERSION_KEY]
    said: list[tuple[str, object]] = [
        ("mcp-protocol-version", version),
        ("mcp-method", message.method),
    ]
    if message.method == "tools/call":
        said.append(("mcp-name", message.params.get("name")))
    for header, value in said:
        if value is not None and headers.get(header) != value:
            raise RpcError(HEADER_MISMATCH, f"the header {header} does not say what the body does")
    if version != MODERN:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "this revision is not spoken here",
            {"supported": [MODERN], "requested": version},
        )


def result(message: Message, value: Mapping[str, object]) -> dict[str, object]:
    """A successful answer."""
    if message.modern:
        own_meta = {SERVER_KEY: SERVER}
        value = {"resultType": "complete", "_meta": own_meta, **value}
    return {"jsonrpc": "2.0", "id": message.id, "result": value}


def failure(id: RequestId | None, error: RpcError) -> dict[str, object]:
    """An answer that says why there is no result."""
    return {"jsonrpc": "2.0", "id": id, "error": error.body}


def progress(message: Message, told: Progressed) -> dict[str, object]:
    """How far a request has come, in the words of its protocol."""
    params: dict[str, object] = {
        "progressToken": message.progress_token,
        "progress": told.progress,
    }
    if told.total is not None:
        params["total"] = told.total
    if told.message:
        params["message"] = told.message
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
