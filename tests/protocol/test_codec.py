"""Frames and envelopes survive the way there and back, and nothing that comes in can do harm."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hubbub.kernel.errors import BY_CODE, DomainError, Invalid
from hubbub.protocol import codec, frames
from hubbub.protocol.envelope import local, opened

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
WIDTH = st.integers(0, 3)
WHOLE = st.integers(-(2**62), 2**62)


@st.composite
def raw_json(draw):
    """JSON as people write it: with spaces and escapes of their own."""
    text = json.dumps(draw(JSON), ensure_ascii=draw(st.booleans()), indent=draw(st.none() | WIDTH))
    return Raw(text.encode())


RAW = raw_json()
OPTIONAL_RAW = st.just(frames.NOTHING) | RAW

PAYLOADS = {
    frames.CallRequested: st.builds(
        frames.Requested, request_id=TEXT, operation_id=TEXT, input=RAW,
        parent_request_id=st.none() | TEXT, deadline=st.none() | WHOLE,
        idle_timeout=st.none() | WHOLE, identity=OPTIONAL_RAW, metadata=OPTIONAL_RAW,
        provider=st.none() | TEXT,
    ),
    frames.CallResponded: st.builds(
        frames.Responded, request_id=TEXT, output=RAW, call_id=TEXT
    ),
    frames.CallCompleted: st.builds(frames.Completed, request_id=TEXT, call_id=TEXT),
    frames.CallAbort: st.builds(
        frames.CallAborted, request_id=TEXT, call_id=TEXT, reason=TEXT, mode=TEXT
    ),
    frames.CallFailed: st.builds(
        frames.Failed, request_id=TEXT, code=TEXT, message=TEXT, details=OPTIONAL_RAW, call_id=TEXT
    ),
    frames.CallProgressed: st.builds(
        frames.Progressed, request_id=TEXT, progress=NUMBER, total=st.none() | NUMBER,
        message=TEXT, call_id=TEXT,
    ),
    frames.HubHello: st.builds(
        frames.Hello, protocol=WHOLE, hub=TEXT, connection_id=TEXT, account_id=TEXT,
        ping_interval_ms=WHOLE, frame_bytes_max=WHOLE,
    ),
    frames.HubDrain: st.builds(frames.Drain, retry_after_ms=WHOLE, reason=TEXT),
    frames.HubComplaint: st.builds(
        frames.Complaint, code=TEXT, message=TEXT, details=OPTIONAL_RAW
    ),
}  # fmt: skip
FRAMES = st.one_of(st.builds(kind, id=TEXT, payload=payload) for kind, payload in PAYLOADS.items())


def comparable(value):
    """A frame with the bytes of its raw parts, for two `Raw` are never equal."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, msgspec.Struct):
        fields = [comparable(getattr(value, name)) for name in value.__struct_fields__]
        return type(value), *fields
    return value


def test_every_frame_has_its_round_trip():
    known = frames.CallFrame | frames.HubFrame
    assert set(PAYLOADS) == set(known.__args__)


@given(FRAMES)
def test_frames_come_back_as_they_were_to_the_byte_of_what_is_raw(frame):
    data = codec.encode(frame)
    assert comparable(codec.decode_any_frame(data)) == comparable(frame)
    assert comparable(codec.decode_any_frame(data.decode())) == comparable(frame)
    if isinstance(frame, frames.CallFrame):
        assert comparable(codec.decode_call_frame(data)) == comparable(frame)


@st.composite
def damaged(draw):
    """A frame with some of its bytes replaced, dropped or doubled."""
    data = bytearray(codec.encode(draw(FRAMES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        if not data:
            break
    return bytes(data)


@given(st.binary(max_size=100) | damaged() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_frame_that_can_be_relayed_or_is_invalid(data):
    for decode in (codec.decode_call_frame, codec.decode_any_frame):
        try:
            frame = decode(data)
        except Invalid as error:
            assert set(error.details["errors"][0]) == {"field", "expected"}
        else:
            codec.encode(frame).decode()


@given(st.text(max_size=100))
def test_whatever_text_comes_is_a_frame_or_is_invalid(text):
    with suppress(Invalid):
        codec.decode_call_frame(text)


def requested(input: bytes) -> bytes:
    head = (
        b'{"type": "call.requested", "payload": {"requestId": "1", "operationId": "a.b", "input": '
    )
    return head + input + b"}}"


@pytest.mark.parametrize(
    "input",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'"\xff"',
        b'"\xed\xa0\x80"',  # half of a pair
        b"",
        b"nul",
    ],
    ids=["deep", "no utf-8", "surrogate", "nothing", "no json"],
)
def test_inputs_that_nobody_could_read_are_refused(input):
    with pytest.raises(Invalid):
        codec.decode_call_frame(requested(input))


def test_a_frame_says_which_field_is_wrong():
    with pytest.raises(Invalid) as refused:
        codec.decode_call_frame(b'{"type": "call.completed", "payload": {"requestId": 1}}')
    assert refused.value.details["errors"] == [
        {"field": "$.payload.requestId", "expected": "Expected `str`, got `int`"}
    ]


def test_a_peer_may_not_speak_for_the_hub():
    hello = frames.HubDrain(payload=frames.Drain(retry_after_ms=1, reason=""))
    with pytest.raises(Invalid):
        codec.decode_call_frame(codec.encode(hello))


@given(st.sampled_from([*BY_CODE, "MADE_UP"]), TEXT, st.dictionaries(TEXT, JSON, max_size=3))
def test_errors_come_back_with_their_code_and_any_details(code, message, details):
    kind = BY_CODE.get(code, DomainError)
    error = kind(code, message, **details) if kind is DomainError else kind(message, **details)
    back = codec.error_of(codec.failed("1", error).payload)
    assert (type(back), back.name, back.message) == (type(error), code, message)
    assert back.details == msgspec.json.decode(codec.encode(details))


@pytest.mark.parametrize("name", ["message", "name", "self", "code", "details"])
def test_details_may_be_called_what_they_like(name):
    error = DomainError("X", "told", **{name: 1})
    back = codec.error_of(codec.failed("1", error).payload)
    assert (back.name, back.message, back.details) == ("X", "told", {name: 1})


@given(RAW)
def test_details_that_are_no_object_are_kept_as_text(raw):
    details = codec.details_of(raw)
    if not isinstance(msgspec.json.decode(raw), dict):
        assert details == {"details": bytes(raw).decode()}


@given(RAW)
def test_an_envelope_opens_to_the_bytes_that_were_put_in(raw):
    envelope = opened(local("a.b", raw))
    assert bytes(envelope.data) == bytes(raw)
    meta = msgspec.json.decode(envelope.meta)
    assert (meta["source"], meta["operationId"]) == ("local", "a.b")


@given(st.binary(max_size=60) | RAW.map(bytes))
def test_whatever_an_answer_is_it_is_an_envelope_or_invalid(data):
    with suppress(Invalid):
        opened(data)


@pytest.mark.parametrize("source", ["local", "http", "mcp"])
def test_envelopes_say_where_they_come_from(source):
    assert bytes(opened(b'{"data": 1, "meta": {"source": "%s"}}' % source.encode()).data) == b"1"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"data": 1}',
        b'{"meta": {"source": "local"}}',
        b'{"data": 1, "meta": {"source": "elsewhere"}}',
        b'{"data": 1, "meta": {}}',
        b'{"data": 1, "meta": "\xff"}',
        b"[]",
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b', "meta": {"source": "local"}}',
    ],
)
def test_what_is_no_envelope(raw):
    with pytest.raises(Invalid):
        opened(raw)
