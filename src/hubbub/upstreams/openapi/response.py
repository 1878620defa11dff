"""An answer of an HTTP API as an envelope, or as an error. No I/O.

JSON is passed on as it came, byte for byte.
"""

from base64 import b64encode
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Raw

from hubbub.kernel.errors import DomainError, TooLarge
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.envelope import HttpMeta
from hubbub.protocol.events import Event

EVENTS: Final = "text/event-stream"
PLAIN: Final = "message"
"""The type of an event that says none."""
ERROR_BYTES_MAX: Final = 64 * 1024
"""Of the body of an error, as its details keep it."""
HEADERS_MAX: Final = 64
HEADER_CHARS_MAX: Final = 2048
RETRY_S_MAX: Final = 24 * 3600

_SECRET: Final = (
    "set-cookie", "cookie", "authorization", "authenticate", "token", "secret", "api-key", "apikey",
    "session", "password", "credential",
)  # fmt: skip
"""What is in the name of a header that is nobody's business but the two ends'."""


class EventMeta(HttpMeta, frozen=True, kw_only=True, tag="http", omit_defaults=True):
    """Where one event of a stream comes from."""

    event: str = ""
    """Its type; empty for a plain message."""
    event_id: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What comes before the body."""

    status: int
    reason: str
    headers: dict[str, str]
    """Those that may be told."""
    content_type: str
    charset: str

    @property
    def good(self) -> bool:
        return 200 <= self.status <= 299

    @property
    def meta(self) -> HttpMeta:
        return HttpMeta(
            status_code=self.status, headers=self.headers, content_type=self.content_type
        )


def head(status: int, reason: str, headers: Iterable[tuple[str, str]]) -> Head:
    """What a response begins with. Of its headers those are kept that hold no secret."""
    told: dict[str, str] = {}
    content_type = ""
    for name, value in headers:
        name = name.lower()
        if name == "content-type":
            content_type = value[:HEADER_CHARS_MAX]
        if len(told) < HEADERS_MAX and not any(word in name for word in _SECRET):
            value = _clean(value[:HEADER_CHARS_MAX])
            told[name] = f"{told[name]}, {value}"[:HEADER_CHARS_MAX] if name in told else value
    kind, *parameters = content_type.split(";")
    charset = next((each for each in parameters if each.strip().lower().startswith("charset=")), "")
    return Head(
        status=status,
        reason=_clean(reason[:200]),
        headers=told,
        content_type=kind.strip().lower(),
        charset=charset.partition("=")[2].strip().strip("\"'").lower() or "utf-8",
    )


def answered(head: Head, body: bytes) -> Raw:
    """The envelope around an answer.

    Raises:
        TooLarge: if no frame can carry it.
    """
    return _envelope(_data(head, body), head.meta)


def happened(head: Head, event: Event) -> Raw:
    """The envelope around one event of a stream."""
    meta = EventMeta(
        status_code=head.status,
        headers=head.headers,
        content_type=EVENTS,
        event="" if event.kind == PLAIN else event.kind[:HEADER_CHARS_MAX],
        event_id=(event.id or "")[:HEADER_CHARS_MAX],
    )
    raw = _json(event.data)
    return _envelope(_text(event.data, "utf-8") if raw is None else raw, meta)


def refused(head: Head, body: bytes, *, whole: bool = True) -> DomainError:
    """The error that an answer tells, with what came in it."""
    said: object = _data(head, body) if whole else None
    if said is None or (isinstance(said, Raw) and memoryview(said).nbytes > ERROR_BYTES_MAX):
        said = body[:ERROR_BYTES_MAX].decode(errors="replace")
    if isinstance(said, Raw):
        said = msgspec.json.decode(said)
    details: dict[str, object] = {
        "status": head.status,
        "httpStatus": http_status_of(head.status),
        "contentType": head.content_type,
        "body": said[:ERROR_BYTES_MAX] if isinstance(said, str) else said,
    }
    if 300 <= head.status <= 399 and "location" in head.headers:
        details["location"] = head.headers["location"]
    retry_s = head.headers.get("retry-after", "")
    if retry_s.isdecimal() and int(retry_s[:9]) <= RETRY_S_MAX:
        details["retryAfterMs"] = int(retry_s) * 1000
    return DomainError(
        f"HTTP_{head.status}", f"the API answered {head.status} {_reason(head)}".strip(), **details
    )


def http_status_of(status: int) -> int | None:
    """What the hub answers for it over HTTP. That the hub itself is not let in is nothing its
    caller could mend by showing another key, and clients that are told 401 ask for one."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        return 502
    return status if 400 <= status <= 599 else 502


def too_large(bytes_max: int = FRAME_BYTES_MAX) -> TooLarge:
    return TooLarge("the API's answer is larger than any answer may be", maximum=bytes_max)


def is_json(kind: str) -> bool:
    """Whether a kind of content is JSON."""
    return kind.endswith(("/json", "+json"))


def is_text(kind: str) -> bool:
    """Whether a kind of content is made of characters."""
    return (
        kind.startswith("text/")
        or kind.endswith(("/xml", "+xml", "/yaml", "+yaml", "/javascript", "/x-ndjson", "/jsonl"))
        or kind == "application/x-www-form-urlencoded"
    )


def _data(head: Head, body: bytes) -> object:
    if not body:
        return None
    if is_json(head.content_type) or not head.content_type:
        raw = _json(body)
        if raw is not None:
            return raw
    if is_json(head.content_type) or is_text(head.content_type):
        return _text(body, head.charset)
    return b64encode(body).decode()


def _json(body: bytes) -> Raw | None:
    """The same, if it is JSON."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        msgspec.json.decode(body)
    except UNREADABLE:
        return None
    return Raw(body)


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except (LookupError, ValueError):  # a character set that nobody knows, or that is no such thing
        return body.decode(errors="replace")


def _envelope(data: object, meta: HttpMeta) -> Raw:
    envelope = encode({"data": data, "meta": meta})
    if len(envelope) > FRAME_BYTES_MAX:
        raise too_large()
    return Raw(envelope)


def _clean(text: str) -> str:
    """Without what no JSON text can carry."""
    return text.encode(errors="replace").decode()


def _reason(head: Head) -> str:
    if head.reason:
        return head.reason
    try:
        return HTTPStatus(head.status).phrase
    except ValueError:
        return ""
