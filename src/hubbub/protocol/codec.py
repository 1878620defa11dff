"""Frames to bytes and back."""

from typing import Final

import msgspec

from hubbub.kernel.errors import HubError, Invalid, from_wire
from hubbub.protocol import frames

encode = msgspec.json.Encoder().encode

_call_frames: msgspec.json.Decoder[frames.CallFrame] = msgspec.json.Decoder(frames.CallFrame)
_any_frames: msgspec.json.Decoder[frames.CallFrame | frames.HubFrame] = msgspec.json.Decoder(
    frames.CallFrame | frames.HubFrame
)

# A few thousand open brackets are enough for the last one.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading JSON that somebody else wrote may raise."""


def decode_call_frame(data: bytes | str) -> frames.CallFrame:
    """A frame that a peer may send to a hub.

    Raises:
        Invalid: names the field and what was expected there.
    """
    try:
        return _call_frames.decode(_text(data))
    except UNREADABLE as error:
        raise _unreadable(error) from error


def decode_any_frame(data: bytes | str) -> frames.CallFrame | frames.HubFrame:
    """A frame that a hub may send to a peer.

    Raises:
        Invalid: names the field and what was expected there.
    """
    try:
        return _any_frames.decode(_text(data))
    except UNREADABLE as error:
        raise _unreadable(error) from error


def _text(data: bytes | str) -> bytes | str:
    """The same, but surely UTF-8: msgspec passes over what is `Raw` without looking at it."""
    return data if isinstance(data, str) or data.isascii() else data.decode()


def _unreadable(error: Exception) -> Invalid:
    # msgspec says "Expected `str`, got `int` - at `$.payload.requestId`".
    expected, _, field = str(error).partition(" - at ")
    return Invalid(
        "the frame cannot be read",
        errors=[{"field": field.strip("`") or "$", "expected": expected}],
    )


def failed(request_id: str, error: HubError, call_id: str = "") -> frames.CallFailed:
    """The frame that tells a caller of `error`."""
    return frames.CallFailed(
        id=request_id,
        payload=frames.Failed(
            request_id=request_id,
            code=error.name,
            # What another program said may hold half a character, which no frame can carry.
            message=error.message.encode(errors="replace").decode(),
            details=msgspec.Raw(encode(error.details)) if error.details else frames.NOTHING,
            call_id=call_id,
        ),
    )


def error_of(payload: frames.Failed) -> HubError:
    """The error that a `call.error` carries."""
    return from_wire(payload.code, payload.message, details_of(payload.details))


def details_of(raw: msgspec.Raw) -> dict[str, object]:
    """The details of a `call.error`, if they are an object."""
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, object])
    except UNREADABLE:
        return {"details": bytes(raw).decode(errors="replace")}
