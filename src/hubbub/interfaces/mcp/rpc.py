"""MCP's messages over HTTP, of both eras, told apart and checked. No I/O."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, UnsetType

from hubbub import __version__
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.frames import Progressed
from hubbub.protocol.mcp import (
    CAPABILITIES_KEY,
    HANDSHAKE,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    MODERN,
    NAMED,
    PARSE_ERROR,
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
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""Of the newer revision; the older ones answer errors with 200."""

SERVER: Final = {"name": "hubbub", "title": "Hubbub", "version": __version__}

VERSION_HEADER: Final = "mcp-protocol-version"

BASE64: Final = ("=?base64?", "?=")

P = TypeVar("P", bound=msgspec.Struct)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A request; a notification, which has no id; or a response, which has no method."""

    jsonrpc: str
    method: str | UnsetType = msgspec.UNSET
    id: RequestId | UnsetType = msgspec.UNSET
    params: Raw = Raw(b"{}")
    result: Raw | UnsetType = msgspec.UNSET
    error: Raw | UnsetType = msgspec.UNSET


class _Meta(msgspec.Struct, frozen=True):
    meta: dict[str, Any] = msgspec.field(default={}, name="_meta")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request, or a notification, for which `id` is None."""

    id: RequestId | None
    method: str
    params: Raw
    meta: dict[str, Any]
    modern: bool
    """Whether it speaks the revision without sessions, or means to."""

    @property
    def progress_token(self) -> RequestId | None:
        token = self.meta.get("progressToken")
        return token if isinstance(token, str | int) else None

    def read(self, shape: type[P]) -> P:
        """Its parameters.

        Raises:
            RpcError: if they do not fit.
        """
        try:
            return msgspec.json.decode(self.params, type=shape)
        except UNREADABLE as error:
            raise RpcError(INVALID_PARAMS, f"the parameters do not fit: {error}") from error


_messages = msgspec.json.Decoder(Message)
_metas = msgspec.json.Decoder(_Meta)


def parsed(body: bytes) -> Message:
    """The one message of a request's body.

    Raises:
        RpcError: if it is not JSON, or not a single message.
    """
    try:
        # What is passed over unread must be text all the same.
        message = _messages.decode(body if body.isascii() else body.decode())
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_REQUEST, f"not a single JSON-RPC message: {error}") from error
    except UNREADABLE as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}") from error
    if message.jsonrpc != "2.0":
        raise RpcError(INVALID_REQUEST, "jsonrpc must be 2.0")
    return message


def request_of(message: Message, headers: Mapping[str, str]) -> Request:
    """The request or notification in a message.

    Raises:
        RpcError: if it is none, or if its `_meta` cannot be read.
    """
    if isinstance(message.method, UnsetType):
        raise RpcError(INVALID_REQUEST, "a message has a method, or a result, or an error")
    try:
        meta = _metas.decode(message.params).meta
    except UNREADABLE as error:
        raise RpcError(INVALID_PARAMS, f"the parameters cannot be read: {error}") from error
    version = headers.get(VERSION_HEADER)
    return Request(
        id=None if isinstance(message.id, UnsetType) else message.id,
        method=message.method,
        params=message.params,
        meta=meta,
        modern=VERSION_KEY in meta or (version is not None and version not in HANDSHAKE),
    )


class _Failure(msgspec.Struct, frozen=True):
    code: int = INTERNAL_ERROR
    message: str = ""
    data: Any = None


class _Cancelled(msgspec.Struct, frozen=True, rename="camel"):
    request_id: RequestId = ""


def answer_of(message: Message) -> Raw | RpcError:
    """What a response says.

    Raises:
        RpcError: if it is none.
    """
    if isinstance(message.result, Raw):
        return message.result
    try:
        failure = msgspec.json.decode(message.error or b"{}", type=_Failure)
    except UNREADABLE as error:
        raise RpcError(INVALID_REQUEST, f"the error cannot be read: {error}") from error
    return RpcError(failure.code, failure.message, failure.data)


def cancelled(request: Request) -> RequestId:
    """Which request is not to be answered any more."""
    return request.read(_Cancelled).request_id


def check_modern(request: Request, headers: Mapping[str, str]) -> None:
    """See that a request of the newer revision is one, and that its headers say the same.

    Raises:
        RpcError: names what is missing or differs.
    """
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in request.meta]
    if missing:
        raise RpcError(INVALID_PARAMS, f"params._meta is missing {', '.join(missing)}")
    version = request.meta[VERSION_KEY]
    _check_header(headers, VERSION_HEADER, version)
    _check_header(headers, "mcp-method", request.method)
    if request.method in NAMED:
        _check_header(headers, "mcp-name", _subject(request))
    if version != MODERN:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "this revision is not spoken here",
            {"supported": [MODERN], "requested": version},
        )
    if not isinstance(request.meta[CAPABILITIES_KEY], dict):
        raise RpcError(INVALID_PARAMS, f"{CAPABILITIES_KEY} must be an object")


def _subject(request: Request) -> object:
    return msgspec.json.decode(request.params, type=dict[str, Raw]).get(NAMED[request.method])


def _check_header(headers: Mapping[str, str], name: str, value: object) -> None:
    if isinstance(value, Raw):
        value = msgspec.json.decode(value)
    if value is not None and said_by(headers, name) != value:
        raise RpcError(HEADER_MISMATCH, f"the header {name} does not say what the body does")


def said_by(headers: Mapping[str, str], name: str) -> str | None:
    """What a header says, which may be wrapped in base64.

    Raises:
        RpcError: if it is wrapped and cannot be read.
    """
    given = headers.get(name)
    if given is None:
        return None
    given = given.strip(" \t")
    start, end = BASE64
    if not (given.startswith(start) and given.endswith(end)):
        return given
    found = _decoded(given)
    if found is None:
        raise RpcError(HEADER_MISMATCH, f"the header {name} cannot be read")
    return found


def _decoded(value: str) -> str | None:
    """What a header says that a header cannot hold as it is."""
    start, end = BASE64
    try:
        return base64.b64decode(value[len(start) : -len(end)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def result(id: RequestId | None, value: bytes) -> bytes:
    """A successful answer; `value` is the result as it stands."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(id), value)


def failure(id: RequestId | None, error: RpcError) -> bytes:
    """An answer that says why there is no result."""
    return encode({"jsonrpc": "2.0", "id": id, "error": error.body})


def asking(id: RequestId, method: str, params: Raw) -> bytes:
    """A request to the client."""
    return encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def noting(method: str, params: object = None) -> bytes:
    """A notification to the client."""
    note = {"jsonrpc": "2.0", "method": method}
    return encode(note if params is None else {**note, "params": params})


def progress(token: RequestId, told: Progressed) -> bytes:
    """How far a request has come, in the words of its protocol."""
    params: dict[str, object] = {"progressToken": token, "progress": told.progress}
    if told.total is not None:
        params["total"] = told.total
    if told.message:
        params["message"] = told.message
    return noting("notifications/progress", params)
