"""What an input's `body` becomes in a request. No I/O."""

import binascii
from base64 import b64decode
from typing import Final

import msgspec
from msgspec import Raw

from hubbub.kernel.errors import Invalid
from hubbub.upstreams.openapi.binding import Body, FormField
from hubbub.upstreams.openapi.inputs import FORM, MULTIPART
from hubbub.upstreams.openapi.response import is_json
from hubbub.upstreams.openapi.styles import form, scalar, text_of

_PLAIN: Final = FormField()


def content(body: Body, raw: Raw, boundary: str) -> tuple[bytes, str]:
    """The bytes of a request, and what kind they are.

    Args:
        boundary: what stands between the parts of a form, and in none of them.

    Raises:
        Invalid: if it cannot be written so.
    """
    kind = body.content_type.partition(";")[0].strip().lower()
    if is_json(kind):
        return bytes(raw), body.content_type
    value: object = msgspec.json.decode(raw)
    if kind == FORM:
        parts = [
            part
            for name, each in _fields(value).items()
            for part in form(name, each, body.form.get(name, _PLAIN))
        ]
        return "&".join(parts).encode(), body.content_type
    if kind == MULTIPART:
        return _multipart(body, _fields(value), boundary), f"{MULTIPART}; boundary={boundary}"
    if body.binary:
        return _bytes("body", value), body.content_type
    return scalar(value).encode(), body.content_type


def _fields(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _invalid("body", "an object, whose fields are those of a form")
    return {name: each for name, each in value.items() if each is not None}


def _multipart(body: Body, fields: dict[str, object], boundary: str) -> bytes:
    made = bytearray()
    for name, value in fields.items():
        said = body.form.get(name, _PLAIN)
        # A list is as many parts as it is long, unless somebody wants it as JSON.
        as_json = said.content_type is not None and is_json(said.content_type)
        for each in value if isinstance(value, list) and not as_json else [value]:
            head, content = _part(name, each, said)
            made += f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
            made += content + b"\r\n"
    made += f"--{boundary}--\r\n".encode()
    return bytes(made)


def _part(name: str, value: object, said: FormField) -> tuple[str, bytes]:
    """What stands above a part, and the part."""
    head = f'name="{_quoted(name)}"'
    kind = said.content_type.partition(",")[0].strip() if said.content_type else None
    if said.binary:
        file = value if isinstance(value, dict) else {"data": value}
        filename = str(file.get("filename") or name)
        kind = str(file.get("contentType") or _one(kind) or "application/octet-stream")
        data = _bytes(f"body.{name}", file.get("data"))
        return f'{head}; filename="{_quoted(filename)}"\r\nContent-Type: {_line(kind)}', data
    if isinstance(value, (dict, list)) or (kind is not None and is_json(kind)):
        return f"{head}\r\nContent-Type: {_line(kind or 'application/json')}", text_of(
            value
        ).encode()
    return f"{head}\r\nContent-Type: {_line(kind)}" if _one(kind) else head, scalar(value).encode()


def _one(kind: str | None) -> str | None:
    """A kind of content, if it is one, and not any of several."""
    return None if kind is None or "*" in kind else kind


def _bytes(field: str, value: object) -> bytes:
    try:
        return b64decode(value if isinstance(value, str) else b"?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(field, "bytes in base64") from error


def _quoted(text: str) -> str:
    """As browsers write names in forms."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _line(text: str | None) -> str:
    return "".join(each for each in text or "" if each.isprintable() and each.isascii())


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("the input cannot be sent", errors=[{"field": field, "expected": expected}])
