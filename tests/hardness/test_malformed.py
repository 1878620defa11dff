"""Ten thousand frames that no honest peer would send."""

import asyncio
import itertools
import json
from contextlib import suppress

import pytest
from picows import WSMsgType

from tests.hardness.clients import until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
FRAMES = 10_000
FEW = 300
GROWTH_MAX = 48 * MIB
DEEP = 20_000
SAID_MAX = 4000  # however long a frame was, what is said to it is short


def call(**payload):
    """A call as JSON, whatever is in it."""
    return json.dumps({"type": "call.requested", "payload": payload}).encode()


def raw(fields):
    """A call with fields that json would not write."""
    return b'{"type":"call.requested","payload":{"requestId":"raw",%b}}' % fields


SPEC = {
    "namespace": "good",
    "name": "echo",
    "type": "query",
    "description": "Give it back.",
    "inputSchema": {"type": "object"},
}
ECHO = b'"operationId":"good.echo",'

# The field that the complaint must name.
UNREADABLE = {
    "nothing": (b"", "$"),
    "half an object": (b"{", "$"),
    "null": (b"null", "$"),
    "a list": (b"[]", "$"),
    "a number": (b"1", "$"),
    "no type": (b"{}", "$"),
    "an unknown type": (b'{"type":"call.wat","payload":{}}', "$.type"),
    "a frame of the hub's": (b'{"type":"hub.hello","payload":{}}', "$.type"),
    "no payload": (b'{"type":"call.requested"}', "$"),
    "a payload of text": (b'{"type":"call.requested","payload":"x"}', "$.payload"),
    "no operation": (call(requestId="a"), "$.payload"),
    "an id that is a number": (call(requestId=5, operationId="a.b"), "$.payload.requestId"),
    "an operation that is null": (call(requestId="a", operationId=None), "$.payload.operationId"),
    "a very long id": (call(requestId="y" * MIB, operationId="a.b"), "$.payload.requestId"),
    "half a millisecond": (raw(ECHO + b'"deadline":1.5'), "$.payload.deadline"),
    "not a number": (raw(ECHO + b'"input":NaN'), "$"),
    "a deep input": (raw(ECHO + b'"input":' + b"[" * DEEP + b"]" * DEEP), "$"),
    "a deep input without end": (raw(ECHO + b'"input":' + b'{"a":' * DEEP), "$"),
    "bytes that are no text": (raw(ECHO + b'"input":{"a":"\xff\xfe"}'), "$"),
    "an id that is no text": (b'{"type":"call.aborted","payload":{"requestId":"\xc3\x28"}}', "$"),
    "half a character": (raw(ECHO + b'"input":{"a":"\\ud800"}'), "$"),
    "no message in an error": (
        b'{"type":"call.error","payload":{"requestId":"x","code":"X"}}',
        "$.payload",
    ),
}

REFUSED = {
    "an operation that is not": (call(requestId="r", operationId="no.such"), "OPERATION_NOT_FOUND"),
    "an empty operation": (call(requestId="r", operationId=""), "OPERATION_NOT_FOUND"),
    "a very long operation": (call(requestId="r", operationId="x" * MIB), "OPERATION_NOT_FOUND"),
    "an input of text": (
        call(requestId="r", operationId="good.echo", input=""),
        "VALIDATION_ERROR",
    ),
    "an input of another kind": (
        call(requestId="r", operationId="call.list", input={"limit": "many"}),
        "VALIDATION_ERROR",
    ),
    "a parent that is not": (
        call(requestId="r", operationId="good.echo", parentRequestId="nobody"),
        "VALIDATION_ERROR",
    ),
    "a deadline that has passed": (
        call(requestId="r", operationId="good.echo", deadline=-1),
        "TIMEOUT",
    ),
    "a cursor of one's own": (
        call(requestId="r", operationId="call.list", input={"cursor": "\x00"}),
        "VALIDATION_ERROR",
    ),
    "a spoke that offers nonsense": (
        call(
            requestId="r",
            operationId="hub.register",
            input={"name": 1, "spokeType": "toaster", "operations": [{"namespace": "!"}]},
        ),
        "VALIDATION_ERROR",
    ),
    "a spoke in the hub's own namespace": (
        call(
            requestId="r",
            operationId="hub.register",
            input={
                "name": "fake",
                "spokeType": "dev-env",
                "operations": [
                    {"namespace": "hub", "name": "register", "type": "query", "description": ""}
                ],
            },
        ),
        "VALIDATION_ERROR",
    ),
}

STRAY = {
    "an answer to nothing": ("call.responded", {"output": {"data": 1, "meta": {}}}),
    "an end of nothing": ("call.completed", {}),
    "a failure of nothing": ("call.error", {"code": "X", "message": "x"}),
    "a stop of nothing": ("call.aborted", {}),
    "progress of nothing": ("call.progress", {"progress": 0.5}),
}


def answer(kind, id, fields):
    """A frame that only the provider of the call `id` may send."""
    return json.dumps({"type": kind, "payload": {"requestId": id, **fields}}).encode()


async def _told(client, frame, kind=WSMsgType.TEXT):
    """What the hub says to one frame, before it answers the next."""
    client.told.clear()
    client.transport.send(kind, frame)
    await client.call("account.me")
    with suppress(TimeoutError):
        # Why an operation is not known is looked up beside the others.
        await until(lambda: client.told, timeout_s=5)
    assert len(json.dumps(list(client.told))) < SAID_MAX
    return list(client.told)


@pytest.fixture
async def neighbours(start, connect):
    """A hub, and two who go on with their calls whatever happens beside them."""
    hub = start()
    spoke, caller = await connect(hub), await connect(hub)
    await spoke.register("good", [SPEC, {**SPEC, "name": "hang"}])
    done = 0

    async def go_on():
        nonlocal done
        while True:
            assert await caller.call("good.echo", {"n": done}) == {"n": done}
            done += 1
            await asyncio.sleep(0.002)

    work = asyncio.create_task(go_on())
    yield hub
    before = done
    await until(lambda: done > before + 10 or work.done())
    assert not work.done(), work.exception()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    for gauge in ("calls_in_flight", "deadlines_set", "slots_taken"):
        await until(lambda gauge=gauge: hub.metric(gauge) == 0)


@pytest.mark.parametrize("kind", [WSMsgType.TEXT, WSMsgType.BINARY], ids=["text", "binary"])
async def test_what_cannot_be_read_is_complained_of_by_field(neighbours, connect, kind):
    client = await connect(neighbours)
    for what, (frame, field) in UNREADABLE.items():
        (told,) = await _told(client, frame, kind)
        assert (told["type"], told["payload"]["code"]) == ("hub.error", "VALIDATION_ERROR"), what
        assert [error["field"] for error in told["payload"]["details"]["errors"]] == [field], what


async def test_what_can_be_read_and_not_be_done_is_refused_by_its_code(neighbours, connect):
    client = await connect(neighbours)
    for what, (frame, code) in REFUSED.items():
        (told,) = await _told(client, frame)
        assert (told["type"], told["payload"]["requestId"]) == ("call.error", "r"), what
        assert told["payload"]["code"] == code, what


async def test_answers_to_calls_of_others_are_counted_and_change_nothing(neighbours, connect):
    hub = neighbours
    caller, liar = await connect(hub), await connect(hub)
    await liar.register("liar", [{**SPEC, "namespace": "bad"}])
    hanging = asyncio.create_task(caller.frame("good.hang"))
    ours = None
    while ours is None:
        found = (await caller.call("call.list", {"status": "running"}))["items"]
        ours = next((each["id"] for each in found if each["operation"].endswith(".hang")), None)
    ended = (await caller.frame("good.echo"))["payload"]["callId"]
    stray, late = hub.metric("answers_stray_total"), hub.metric("answers_late_total")
    for sender, id in itertools.product((liar, caller), (ours, "nobody's", "")):
        for kind, fields in STRAY.values():
            assert await _sent(sender, answer(kind, id, fields)) == []
    assert hub.metric("answers_stray_total") == stray + 6 * len(STRAY)
    for kind, fields in STRAY.values():
        assert await _sent(liar, answer(kind, ended, fields)) == []
    assert hub.metric("answers_late_total") == late + len(STRAY)
    assert not hanging.done()
    await caller.call("call.abort", {"id": ours})
    assert (await hanging)["payload"]["reason"] == "cancelled_by_caller"


async def _sent(client, frame):
    client.told.clear()
    client.send(frame)
    await client.call("account.me")
    return list(client.told)


async def test_a_request_id_that_is_in_use_is_refused_and_the_first_call_goes_on(
    neighbours, connect
):
    client = await connect(neighbours)
    frame = call(requestId="twice", operationId="good.hang")
    assert await _sent(client, frame) == []
    (told,) = await _told(client, frame)
    assert (told["type"], told["payload"]["code"]) == ("call.error", "CONFLICT")
    (told,) = await _told(client, answer("call.aborted", "twice", {}))
    assert told["payload"]["reason"] == "cancelled_by_caller"


async def test_ten_thousand_of_them_weigh_nothing(neighbours, connect):
    hub = neighbours
    client = await connect(hub)
    frames = [frame for frame, _ in (*UNREADABLE.values(), *REFUSED.values())]
    frames += [answer(kind, "nobody's", fields) for kind, fields in STRAY.values()]
    every = itertools.cycle(itertools.product(frames, (WSMsgType.TEXT, WSMsgType.BINARY)))
    weights = []
    for _ in range(FRAMES // FEW):
        for frame, kind in itertools.islice(every, FEW):
            client.transport.send(kind, frame)
        await client.call("account.me", timeout_s=60)
        weights.append(hub.rss_bytes())
    warm = len(weights) // 3
    assert max(weights[warm:]) - weights[warm] < GROWTH_MAX, [w // MIB for w in weights]
    assert not client.left.done()
    told = client.counts["hub.error"] + client.counts["call.error"]
    assert told + hub.metric("answers_stray_total") >= 0.99 * FEW * (FRAMES // FEW)
