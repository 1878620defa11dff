"""A call comes to one end, and those who took part in it hear of it."""

import asyncio
import time
from contextlib import aclosing

import pytest

from hubbub.kernel.errors import (
    Aborted,
    Busy,
    Conflict,
    DomainError,
    ExecutionFailed,
    Invalid,
    NoProvider,
    NotFound,
    OperationNotFound,
    TimedOut,
    Unavailable,
)
from tests.support.hub import recorded
from tests.support.peer import spec

READ = spec("dev.fs", "read")
WRITE = spec("dev.fs", "write", "mutation")
TAIL = spec("dev.log", "tail", "subscription")
COMPLETE = spec("chat", "complete", shared=True)

AWHILE_MS = 600
"""What must happen before it is over happens even where the machine is busy with others."""


async def asks(caller, operation, input=None, **payload):
    """A call in a task, for a spoke to answer."""
    return asyncio.create_task(caller.call(operation, input, **payload))


async def test_an_input_reaches_a_spoke_and_its_answer_the_caller(hub, call):
    spoke = await hub.spoke("laptop", READ)
    input = {"path": "ü \u2028 \U0001f600", "n": 12345678901234567890, "deep": [[{}]], "none": None}
    asking = asyncio.create_task(call("dev.fs.read", **input))
    asked = await spoke.asked()
    await spoke.answer(asked, input)
    assert (asked["input"], await asking) == (input, input)


async def test_a_spoke_says_what_went_wrong(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = asyncio.create_task(call("dev.fs.read"))
    await spoke.fail(await spoke.asked(), "NO_SUCH_FILE", "there is no such file", path="x")
    with pytest.raises(DomainError) as failed:
        await asking
    assert (failed.value.name, failed.value.message, failed.value.details) == (
        "NO_SUCH_FILE",
        "there is no such file",
        {"path": "x"},
    )


async def test_an_answer_that_is_no_envelope_fails_the_call(hub, call):
    spoke = await hub.spoke("laptop", READ)
    for output in (5, {"data": 1}, {"data": 1, "meta": {"source": "elsewhere"}}):
        asking = asyncio.create_task(call("dev.fs.read"))
        asked = await spoke.asked()
        await spoke.send("call.responded", requestId=asked["requestId"], output=output)
        with pytest.raises(Invalid):
            await asking
        await spoke.stopped()


async def test_a_query_that_is_completed_without_an_answer_has_failed(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = asyncio.create_task(call("dev.fs.read"))
    await spoke.complete(await spoke.asked())
    with pytest.raises(ExecutionFailed):
        await asking


async def test_nobody_offers_it_now_is_said_at_once(hub, call):
    await (await hub.spoke("laptop", COMPLETE)).call("hub.drain")
    with pytest.raises(NoProvider) as refused:
        await call("chat.complete")
    assert refused.value.details == {"operation": "chat.complete"}


async def test_an_unknown_provider_does_not_offer_it(hub):
    await hub.spoke("laptop", COMPLETE)
    caller = await hub.connect()
    with pytest.raises(NotFound) as refused:
        await caller.call("chat.complete", provider="desktop")
    assert refused.value.details == {"operation": "chat.complete", "provider": "desktop"}


@pytest.mark.slow
async def test_a_deadline_ends_the_call_and_the_spoke_is_told(hub):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    deadline = int(time.time() * 1000) + AWHILE_MS
    asking = await asks(caller, "dev.fs.read", deadline=deadline)
    asked = await spoke.asked()
    assert asked["deadline"] == deadline
    with pytest.raises(TimedOut) as ended:
        await asking
    assert ended.value.details == {"reason": "timeout", "deadline": deadline}
    assert await spoke.stopped() == {"requestId": asked["requestId"], "reason": "timeout"}
    call = await recorded(hub.door(), asked["requestId"])
    assert (call["status"], call["error"]["code"]) == ("failed", "TIMEOUT")


async def test_a_deadline_that_has_passed_starts_nothing(hub):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    with pytest.raises(TimedOut):
        await caller.call("dev.fs.read", deadline=1)
    asking = await asks(caller, "dev.fs.read", {"n": 2})
    asked = await spoke.asked()
    assert asked["input"] == {"n": 2}
    await spoke.answer(asked)
    await asking


@pytest.mark.slow
async def test_a_call_without_a_deadline_has_the_usual_one(serve):
    async with serve(call_timeout_s=1) as hub:
        await hub.spoke("laptop", READ)
        with pytest.raises(TimedOut):
            await hub.door()("dev.fs.read")


async def test_a_late_answer_is_counted_and_nothing_else(hub):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    name = await caller.begin("dev.fs.read")
    asked = await spoke.asked()
    await caller.send("call.aborted", requestId=name)
    assert (await caller.heard(name))["payload"]["reason"] == "cancelled_by_caller"
    await spoke.answer(asked, "late")
    await spoke.call("account.me")
    assert hub.house.router.counters.late == 1
    assert (await recorded(hub.door(), asked["requestId"]))["status"] == "aborted"


async def test_an_abort_stops_everything_that_the_call_began(hub):
    top = await hub.spoke("top", spec("dev.top", "run", "mutation"))
    below = await hub.spoke("below", READ, TAIL)
    caller = await hub.connect()
    name = await caller.begin("dev.top.run")
    parent = await top.asked()
    read = await top.begin("dev.fs.read", parentRequestId=parent["requestId"])
    tail = await top.begin("dev.log.tail", parentRequestId=parent["requestId"])
    children = [await below.asked(), await below.asked()]
    assert {child["parentRequestId"] for child in children} == {parent["requestId"]}
    await caller.send("call.aborted", requestId=name)
    assert (await caller.heard(name))["payload"]["reason"] == "cancelled_by_caller"
    assert await top.stopped() == {
        "requestId": parent["requestId"],
        "reason": "cancelled_by_caller",
    }
    stopped = [await below.stopped(), await below.stopped()]
    assert sorted(stopped, key=str) == sorted(
        ({"requestId": child["requestId"], "reason": "aborted_by_parent"} for child in children),
        key=str,
    )
    for child in (read, tail):
        assert (await top.heard(child))["payload"]["reason"] == "aborted_by_parent"
    tree = await hub.door()("call.tree", id=(await recorded(hub.door(), parent["requestId"]))["id"])
    assert [tree["call"]["status"], *(child["call"]["status"] for child in tree["children"])] == [
        "aborted",
        "aborted",
        "aborted",
    ]


async def test_to_skip_is_to_answer_now_and_leave_the_spoke_alone(hub):
    spoke = await hub.spoke("laptop", WRITE)
    caller = await hub.connect()
    name = await caller.begin("dev.fs.write")
    asked = await spoke.asked()
    await caller.send("call.aborted", requestId=name, mode="skip")
    assert (await caller.heard(name))["type"] == "call.aborted"
    await spoke.answer(asked)
    # The next that the spoke hears of is another call.
    again = await asks(caller, "dev.fs.write")
    await spoke.answer(await spoke.asked(), "again")
    assert await again == "again"


async def test_to_kill_is_to_stop_the_spoke_and_wait_for_its_word(hub):
    spoke = await hub.spoke("laptop", WRITE)
    caller = await hub.connect()
    for name, reply, heard in (
        ("a", lambda asked: spoke.send("call.aborted", requestId=asked["requestId"]), "aborted"),
        ("b", lambda asked: spoke.answer(asked, "just done"), "responded"),
        ("c", lambda asked: spoke.fail(asked, "BROKEN"), "error"),
    ):
        await caller.begin("dev.fs.write", requestId=name)
        asked = await spoke.asked()
        await caller.send("call.aborted", requestId=name, mode="kill")
        assert (await spoke.stopped())["requestId"] == asked["requestId"]
        await reply(asked)
        assert (await caller.heard(name))["type"] == f"call.{heard}"


async def test_an_unknown_mode_is_complained_of_and_stops_nothing(hub):
    spoke = await hub.spoke("laptop", WRITE)
    caller = await hub.connect()
    name = await caller.begin("dev.fs.write")
    asked = await spoke.asked()
    await caller.send("call.aborted", requestId=name, mode="gently")
    complaint = await caller.other("hub.error")
    assert complaint["details"]["errors"] == [
        {"field": "$.payload.mode", "expected": "skip | kill | killnowait"}
    ]
    await spoke.answer(asked, "done")
    assert (await caller.heard(name))["payload"]["output"]["data"] == "done"


async def test_a_call_is_aborted_by_its_id_by_its_owner(hub, call, caller_with):
    spoke = await hub.spoke("laptop", WRITE)
    asking = await asks(await hub.connect(), "dev.fs.write")
    asked = await spoke.asked()
    stranger = await caller_with("calls:read")
    with pytest.raises(NotFound) as refused:
        await stranger("call.abort", id=asked["requestId"])
    assert refused.value.details == {"call": asked["requestId"]}
    assert await call("call.abort", id=asked["requestId"]) is None
    with pytest.raises(Aborted) as ended:
        await asking
    assert ended.value.details == {"reason": "cancelled_by_caller"}
    assert (await spoke.stopped())["requestId"] == asked["requestId"]
    with pytest.raises(NotFound):
        await call("call.abort", id=asked["requestId"])


async def test_a_call_is_aborted_by_those_who_look_after_calls(hub, caller_with):
    spoke = await hub.spoke("laptop", WRITE)
    asking = await asks(await hub.connect(), "dev.fs.write")
    asked = await spoke.asked()
    await (await caller_with("calls:write"))("call.abort", id=asked["requestId"])
    with pytest.raises(Aborted):
        await asking


async def test_a_caller_who_leaves_stops_its_calls(hub):
    spoke = await hub.spoke("laptop", WRITE, TAIL)
    caller = await hub.connect()
    await caller.begin("dev.fs.write")
    await caller.begin("dev.log.tail")
    asked = {(await spoke.asked())["requestId"] for _ in range(2)}
    await caller.vanish()
    stopped = [await spoke.stopped() for _ in range(2)]
    assert {each["requestId"] for each in stopped} == asked
    assert {each["reason"] for each in stopped} == {"cancelled_by_caller"}


async def test_two_callers_may_have_the_same_name_for_a_call(hub):
    spoke = await hub.spoke("laptop", READ)
    one, two = await hub.connect(), await hub.connect()
    for caller in (one, two):
        await caller.begin("dev.fs.read", requestId="same")
    first, second = await spoke.asked(), await spoke.asked()
    assert len({first["requestId"], second["requestId"], "same"}) == 3
    await spoke.answer(second, "second")
    await spoke.answer(first, "first")
    answers = [(await caller.heard("same"))["payload"]["output"]["data"] for caller in (one, two)]
    assert answers == ["first", "second"]


async def test_one_caller_may_not_have_the_same_name_for_two(hub):
    await hub.spoke("laptop", READ)
    caller = await hub.connect()
    await caller.begin("dev.fs.read", requestId="same")
    await caller.begin("account.me", requestId="same")
    frame = await caller.heard("same")
    assert (frame["type"], frame["payload"]["code"]) == ("call.error", "CONFLICT")


async def test_an_idempotent_call_goes_on_elsewhere_when_its_provider_dies(hub):
    idempotent = {**COMPLETE, "idempotent": True}
    one = await hub.spoke("one", idempotent)
    two = await hub.spoke("two", idempotent)
    asking = await asks(await hub.connect(), "chat.complete")
    asked = await one.asked()
    await one.vanish()
    again = await two.asked()
    assert again["requestId"] == asked["requestId"]
    await two.answer(again, "two")
    assert await asking == "two"
    call = await recorded(hub.door(), asked["requestId"])
    (spoke,) = (await hub.door()("spoke.list", status="connected"))["items"]
    assert (call["status"], call["provider"]) == ("completed", spoke["id"])


async def test_a_call_that_may_have_run_is_not_sent_again(hub):
    one = await hub.spoke("one", COMPLETE)
    two = await hub.spoke("two", COMPLETE)
    caller = await hub.connect()
    asking = await asks(caller, "chat.complete", {"n": 1})
    await one.asked()
    await one.vanish()
    with pytest.raises(Aborted) as ended:
        await asking
    assert ended.value.details == {"reason": "callee_left"}
    again = await asks(caller, "chat.complete", {"n": 2})
    asked = await two.asked()
    assert asked["input"] == {"n": 2}
    await two.answer(asked)
    await again


async def test_a_call_that_was_not_started_is_given_to_another(hub):
    one = await hub.spoke("one", COMPLETE)
    two = await hub.spoke("two", COMPLETE)
    asking = await asks(await hub.connect(), "chat.complete")
    await one.fail(await one.asked(), "UNAVAILABLE", "not now")
    await two.answer(await two.asked(), "two")
    assert await asking == "two"


async def test_a_call_that_nobody_starts_is_unavailable(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = asyncio.create_task(call("dev.fs.read"))
    await spoke.fail(await spoke.asked(), "UNAVAILABLE", "not now", retryAfterMs=5)
    with pytest.raises(Unavailable) as refused:
        await asking
    assert (refused.value.message, refused.value.details) == ("not now", {"retryAfterMs": 5})


async def test_a_spoke_gets_no_more_calls_than_it_takes(hub, call):
    spoke = await hub.connect()
    await spoke.register("laptop", COMPLETE, concurrencyMax=1)
    asking = await asks(await hub.connect(), "chat.complete")
    asked = await spoke.asked()
    with pytest.raises(Busy) as refused:
        await call("chat.complete")
    assert refused.value.details == {"operation": "chat.complete", "retryAfterMs": 100}
    await spoke.answer(asked)
    await asking
    again = asyncio.create_task(call("chat.complete"))
    await spoke.answer(await spoke.asked(), "free")
    assert await again == "free"


async def test_a_parent_is_a_call_of_ones_own_in_flight(hub):
    spoke = await hub.spoke("laptop", READ)
    asking = await asks(await hub.connect(), "dev.fs.read")
    asked = await spoke.asked()
    stranger = await hub.connect(await hub.key_with())
    for parent in (asked["requestId"], "no-such-call", ""):
        with pytest.raises(Invalid) as refused:
            await stranger.call("account.me", parentRequestId=parent)
        assert [error["field"] for error in refused.value.details["errors"]] == ["parentRequestId"]
    await spoke.answer(asked)
    await asking
    with pytest.raises(Invalid):
        await spoke.call("account.me", parentRequestId=asked["requestId"])


async def test_progress_is_told_and_not_kept(hub):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    name = await caller.begin("dev.fs.read")
    asked = await spoke.asked()
    about = {"progress": 1.5, "total": 3, "message": "half"}
    await spoke.send("call.progress", requestId=asked["requestId"], **about)
    told = await caller.heard(name)
    await spoke.answer(asked)
    assert (await caller.heard(name))["type"] == "call.responded"
    assert (told["type"], told["payload"]) == (
        "call.progress",
        {"requestId": name, "callId": asked["requestId"], **about},
    )
    call = await recorded(hub.door(), asked["requestId"])
    assert (call["output"], call["status"]) == (None, "completed")


# A frame that cannot be understood.


async def test_a_frame_that_cannot_be_read_is_complained_of_and_the_connection_goes_on(hub):
    caller = await hub.connect()
    for message in (
        "not json",
        "{}",
        "[]",
        '{"type": "call.unknown"}',
        '{"type": "call.requested"}',
        b"\xff\xfe",
    ):
        await caller.say(message)
        assert (await caller.other("hub.error"))["code"] == "VALIDATION_ERROR"
    assert await caller.call("account.me")


async def test_a_frame_nested_too_deep_is_complained_of_and_the_connection_goes_on(hub):
    caller = await hub.connect()
    await caller.say("[" * 100_000)
    assert (await caller.other("hub.error"))["code"] == "VALIDATION_ERROR"
    with pytest.raises(Invalid):
        await caller.call("account.get", _nested(900))
    assert await caller.call("account.me")


# Subscriptions.


async def test_a_subscription_gives_its_answers_in_order_and_then_ends(hub, call):
    spoke = await hub.spoke("laptop", TAIL)

    async def answer():
        asked = await spoke.asked()
        for n in range(20):
            await spoke.answer(asked, n)
        await spoke.complete(asked)
        return asked["requestId"]

    answering = asyncio.create_task(answer())
    assert [data async for data in call.answers("dev.log.tail")] == list(range(20))
    ended = await recorded(hub.door(), await answering)
    assert (ended["status"], ended["output"], ended["error"]) == ("completed", None, None)


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_a_subscription_that_fails_gives_what_came_before(hub, call):
    spoke = await hub.spoke("laptop", TAIL)

    async def answer():
        asked = await spoke.asked()
        await spoke.answer(asked, 1)
        await spoke.fail(asked, "ROTATED", at=2)

    answering = asyncio.create_task(answer())
    heard = []
    with pytest.raises(DomainError) as failed:
        async for data in call.answers("dev.log.tail"):
            heard.append(data)
    await answering
    assert (failed.value.name, failed.value.details) == ("ROTATED", {"at": 2})
    assert heard == [1]


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_who_stops_listening_stops_the_subscription(hub, call):
    spoke = await hub.spoke("laptop", TAIL)

    async def answer():
        asked = await spoke.asked()
        await spoke.answer(asked, 1)
        return asked["requestId"]

    answering = asyncio.create_task(answer())
    async with aclosing(call.answers("dev.log.tail")) as answers:
        assert await anext(answers) == 1
    assert await spoke.stopped() == {
        "requestId": await answering,
        "reason": "cancelled_by_caller",
    }


@pytest.mark.slow
async def test_a_subscription_in_which_nothing_happens_is_stopped(hub):
    spoke = await hub.spoke("laptop", TAIL)
    caller = await hub.connect()
    name = await caller.begin("dev.log.tail", idleTimeout=AWHILE_MS)
    asked = await spoke.asked()
    assert asked["idleTimeout"] == AWHILE_MS
    await spoke.answer(asked, 1)
    assert (await caller.heard(name))["payload"]["output"]["data"] == 1
    frame = await caller.heard(name)
    assert (frame["type"], frame["payload"]["code"]) == ("call.error", "TIMEOUT")
    assert await spoke.stopped() == {"requestId": asked["requestId"], "reason": "timeout"}


# Calls inside calls.


async def test_call_run_gives_the_envelope_of_another_operation(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = asyncio.create_task(
        call("call.run", operation="dev.fs.read", input={"path": "x"}, provider="laptop")
    )
    asked = await spoke.asked()
    await spoke.answer(asked, "text")
    assert asked["input"] == {"path": "x"}
    assert (await asking)["data"] == "text"
    lineage = await hub.door()(
        "call.lineage", id=(await recorded(hub.door(), asked["requestId"]))["id"]
    )
    assert [each["operation"].split(".")[-1] for each in lineage] == ["run", "read"]


async def test_call_run_hands_on_what_went_wrong(hub, call):
    with pytest.raises(OperationNotFound) as refused:
        await call("call.run", operation="no.such")
    assert refused.value.details == {"operation": "no.such"}
    await hub.spoke("laptop", READ)
    with pytest.raises(TimedOut):
        await call("call.run", operation="dev.fs.read", timeoutMs=50)


async def test_call_run_takes_the_first_answer_of_a_subscription_and_stops_it(hub, call):
    spoke = await hub.spoke("laptop", TAIL)
    asking = asyncio.create_task(call("call.run", operation="dev.log.tail"))
    asked = await spoke.asked()
    await spoke.answer(asked, "first")
    assert (await asking)["data"] == "first"
    assert (await spoke.stopped())["requestId"] == asked["requestId"]


@pytest.mark.slow
async def test_call_run_may_wait_longer_than_is_usual(serve):
    async with serve(call_timeout_s=1) as hub:
        spoke = await hub.spoke("laptop", READ)
        asking = asyncio.create_task(
            hub.door()("call.run", operation="dev.fs.read", timeoutMs=60_000)
        )
        asked = await spoke.asked()
        with pytest.raises(TimedOut):
            await hub.door()("dev.fs.read")
        await spoke.answer(asked, "late enough")
        assert (await asking)["data"] == "late enough"


async def test_call_stream_may_be_silent_longer_than_is_usual(serve):
    async with serve(idle_timeout_s=0.1) as hub:
        spoke = await hub.spoke("laptop", TAIL)

        async def heard(**more):
            run = hub.door().answers("call.stream", operation="dev.log.tail", **more)
            return [envelope["data"] async for envelope in run]

        patient = asyncio.create_task(heard(timeoutMs=10**400))
        asked = await spoke.asked()
        with pytest.raises(TimedOut):
            await heard()
        await spoke.answer(asked, "late enough")
        await spoke.complete(asked)
        assert await patient == ["late enough"]


async def test_call_stream_gives_every_envelope(hub, call):
    spoke = await hub.spoke("laptop", TAIL)

    async def answer():
        asked = await spoke.asked()
        for n in range(3):
            await spoke.answer(asked, n)
        await spoke.complete(asked)

    answering = asyncio.create_task(answer())
    heard = [data async for data in call.answers("call.stream", operation="dev.log.tail")]
    await answering
    assert [envelope["data"] for envelope in heard] == [0, 1, 2]


async def test_to_stop_listening_to_a_stream_stops_what_it_streams(hub):
    spoke = await hub.spoke("laptop", TAIL)
    caller = await hub.connect()
    name = await caller.begin("call.stream", {"operation": "dev.log.tail"})
    asked = await spoke.asked()
    await caller.send("call.aborted", requestId=name)
    assert await spoke.stopped() == {
        "requestId": asked["requestId"],
        "reason": "aborted_by_parent",
    }


async def test_calls_do_not_nest_for_ever(call):
    deep = {"operation": "account.me"}
    for _ in range(70):
        deep = {"operation": "call.run", "input": deep}
    with pytest.raises((Conflict, Invalid)):
        await call("call.run", **deep)


async def test_nothing_is_held_once_everything_is_quiet(hub):
    spoke = await hub.spoke("laptop", READ, TAIL)
    caller = await hub.connect()
    asking = [await asks(caller, "dev.fs.read") for _ in range(5)]
    for _ in asking:
        await spoke.answer(await spoke.asked())
    await asyncio.gather(*asking)
    async with aclosing(caller.answers("dev.log.tail")) as answers:
        listening = asyncio.create_task(anext(answers))
        await spoke.answer(await spoke.asked())
        await listening
    await spoke.stopped()
    held = hub.house.router.held()
    assert (held["calls"], held["deadlines"], held["slots"]) == (0, 0, 0)


def _nested(depth):
    value = {}
    for _ in range(depth):
        value = {"id": value}
    return value
