"""A caller, over a real socket, against a hub that follows a script."""

import asyncio
import time
from contextlib import AsyncExitStack, aclosing

import msgspec
import pytest

from hubbub.client import (
    Aborted,
    Backoff,
    Busy,
    DomainError,
    Hub,
    Invalid,
    NotFound,
    Progress,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from hubbub.client.pending import WAITING_BYTES_MAX
from hubbub.kernel.clock import epoch_ms
from hubbub.protocol import frames
from tests.client.peer import HELLO, KEY, scripted_hub

AT_ONCE = Backoff(base_s=0)


def hub_at(scripted, **more):
    return Hub(scripted.url, key=KEY, reconnect=AT_ONCE, retry=AT_ONCE, **more)


@pytest.fixture
async def connected(scripted):
    async with hub_at(scripted) as hub:
        yield hub, await scripted.peer()


async def test_a_call_is_answered_with_what_the_operation_returned(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("task.create", {"title": "Design"}, provider="laptop"))
    requested = await peer.expect(frames.CallRequested)
    assert (requested.operation_id, bytes(requested.input), requested.provider) == (
        "task.create",
        b'{"title":"Design"}',
        "laptop",
    )
    await peer.respond(requested.request_id, {"id": 7})
    assert await calling == {"id": 7}


async def test_the_key_and_the_protocol_go_with_the_upgrade(connected, scripted):
    (headers,) = scripted.headers
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Sec-WebSocket-Protocol"] == "hubbub.v1"


async def test_a_call_without_input_sends_an_empty_object(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("task.ready"))
    requested = await peer.expect(frames.CallRequested)
    assert bytes(requested.input) == b"{}"
    await peer.respond(requested.request_id, [])
    assert await calling == []


async def test_a_call_tells_its_deadline_and_its_parent(connected):
    hub, peer = connected
    before = epoch_ms()
    calling = asyncio.create_task(hub.call("a.b", timeout_s=20, parent="call-0"))
    requested = await peer.expect(frames.CallRequested)
    assert before + 19_000 <= requested.deadline <= epoch_ms() + 20_000
    assert requested.parent_request_id == "call-0"
    await peer.respond(requested.request_id, None)
    assert await calling is None


async def test_a_raw_call_gives_the_envelope_and_the_id_of_the_call(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call_raw("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.respond(requested.request_id, [1, 2], call_id="call-9")
    answer = await calling
    assert (answer.call_id, bytes(answer.envelope.data)) == ("call-9", b"[1,2]")
    assert msgspec.json.decode(answer.envelope.meta)["source"] == "local"


async def test_calls_in_flight_are_answered_in_any_order(connected):
    hub, peer = connected
    calling = [asyncio.create_task(hub.call("a.b", {"n": n})) for n in range(3)]
    asked = [await peer.expect(frames.CallRequested) for _ in calling]
    for requested in reversed(asked):
        await peer.respond(requested.request_id, msgspec.json.decode(requested.input)["n"])
    assert [await call for call in calling] == [0, 1, 2]


async def test_a_failure_is_raised_as_the_error_that_it_is(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.fail(requested.request_id, NotFound("no task t1", task="t1"))
    with pytest.raises(NotFound) as caught:
        await calling
    assert caught.value.details == {"task": "t1"}


async def test_a_code_of_the_operations_own_is_raised_under_its_name(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.fail(requested.request_id, DomainError("QUOTA_EXCEEDED", "too many", used=5))
    with pytest.raises(DomainError) as caught:
        await calling
    assert (caught.value.name, caught.value.details) == ("QUOTA_EXCEEDED", {"used": 5})


async def test_an_answer_that_is_no_envelope_fails_the_call(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    payload = frames.Responded(request_id=requested.request_id, output=msgspec.Raw(b'"bare"'))
    await peer.send(frames.CallResponded(payload=payload))
    with pytest.raises(Invalid):
        await calling


async def test_a_call_that_is_completed_without_an_answer_is_aborted(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.complete(requested.request_id)
    with pytest.raises(Aborted) as caught:
        await calling
    assert caught.value.details == {"reason": "no_answer"}


async def test_a_call_that_times_out_is_aborted_at_the_hub(connected):
    hub, peer = connected
    with pytest.raises(TimedOut):
        await hub.call("a.b", timeout_s=0.01)
    requested = await peer.expect(frames.CallRequested)
    aborted = await peer.expect(frames.CallAbort)
    assert (aborted.request_id, aborted.reason) == (requested.request_id, "timeout")


@pytest.mark.parametrize("for_ever", [float("inf"), 1e308])
async def test_a_time_without_end_is_a_long_one(connected, for_ever):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b", timeout_s=for_ever))
    requested = await peer.expect(frames.CallRequested)
    assert requested.deadline > 1000 * (time.time() + 300 * 24 * 3600)
    await peer.respond(requested.request_id, 1)
    assert await calling == 1
    items = hub.subscribe("log.follow", idle_timeout_s=for_ever)
    beginning = asyncio.create_task(anext(items))
    requested = await peer.expect(frames.CallRequested)
    assert requested.idle_timeout > 1000 * 300 * 24 * 3600
    await peer.respond(requested.request_id, 1)
    assert await beginning == 1


async def test_cancelling_who_waits_aborts_the_call(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    calling.cancel()
    aborted = await peer.expect(frames.CallAbort)
    assert aborted.request_id == requested.request_id
    assert aborted.reason == "cancelled_by_caller"


async def test_a_late_answer_hurts_nobody(connected):
    hub, peer = connected
    with pytest.raises(TimedOut):
        await hub.call("a.b", timeout_s=0.01)
    late = await peer.expect(frames.CallRequested)
    await peer.expect(frames.CallAbort)
    await peer.respond(late.request_id, "too late")
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.respond(requested.request_id, "in time")
    assert await calling == "in time"


async def test_calling_a_subscription_takes_its_first_answer_and_ends_it_once(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("log.follow"))
    requested = await peer.expect(frames.CallRequested)
    for n in range(4):
        await peer.respond(requested.request_id, n)
    assert await calling == 0
    aborted = await peer.expect(frames.CallAbort)
    assert aborted.request_id == requested.request_id
    asyncio.create_task(hub.call("a.b")).add_done_callback(lambda task: task.exception())
    assert (await peer.expect(frames.CallRequested)).operation_id == "a.b"


@pytest.mark.parametrize("refusal", [Busy("full"), Unavailable("leaving")])
async def test_a_call_that_did_not_start_is_sent_again(connected, refusal):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    first = await peer.expect(frames.CallRequested)
    refusal.details["retryAfterMs"] = 1
    await peer.fail(first.request_id, refusal)
    second = await peer.expect(frames.CallRequested)
    assert second.request_id != first.request_id
    await peer.respond(second.request_id, "done")
    assert await calling == "done"


async def test_a_refusal_that_outlasts_the_timeout_is_told_at_once(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b", timeout_s=1))
    requested = await peer.expect(frames.CallRequested)
    await peer.fail(requested.request_id, Busy("full", retryAfterMs=60_000))
    with pytest.raises(Busy):
        await calling


async def test_a_started_call_can_be_watched_and_aborted(connected):
    hub, peer = connected
    seen = asyncio.Queue()
    call = await hub.start("a.b", progress=seen.put_nowait)
    requested = await peer.expect(frames.CallRequested)
    payload = frames.Progressed(
        request_id=requested.request_id, progress=1, total=2, message="half", call_id="call-5"
    )
    await peer.send(frames.CallProgressed(payload=payload))
    assert await seen.get() == Progress(progress=1, total=2, message="half")
    assert (call.call_id, call.finished) == ("call-5", False)
    await hub.abort(call, mode="kill")
    aborted = await peer.expect(frames.CallAbort)
    assert (aborted.request_id, aborted.mode) == (requested.request_id, "kill")
    await peer.aborted(requested.request_id, "cancelled_by_caller")
    with pytest.raises(Aborted) as caught:
        await call.result()
    assert caught.value.details == {"reason": "cancelled_by_caller"}


async def test_the_first_outcome_counts_whoever_asks_and_whatever_follows(connected):
    hub, peer = connected
    call = await hub.start("a.b")
    requested = await peer.expect(frames.CallRequested)
    await peer.respond(requested.request_id, "first")
    await peer.fail(requested.request_id, NotFound("second"))
    await peer.aborted(requested.request_id, "third")
    assert [await call.result(), await call.result()] == ["first", "first"]
    await call.abort()
    calling = asyncio.create_task(hub.call("a.b"))
    assert (await peer.expect(frames.CallRequested)).operation_id == "a.b"
    calling.cancel()


async def test_a_watcher_that_fails_does_not_stop_the_reader(connected):
    hub, peer = connected
    call = await hub.start("a.b", progress=lambda _: 1 / 0)
    requested = await peer.expect(frames.CallRequested)
    payload = frames.Progressed(request_id=requested.request_id, progress=1)
    await peer.send(frames.CallProgressed(payload=payload))
    await peer.respond(requested.request_id, "done")
    assert await call.result() == "done"


async def test_a_subscription_gives_every_answer_until_it_is_complete(connected):
    hub, peer = connected

    async def collect():
        return [item async for item in hub.subscribe("log.follow", {"from": 3})]

    collecting = asyncio.create_task(collect())
    requested = await peer.expect(frames.CallRequested)
    assert bytes(requested.input) == b'{"from":3}'
    for n in (3, 4, 5):
        await peer.respond(requested.request_id, n)
    await peer.complete(requested.request_id)
    assert await collecting == [3, 4, 5]


async def test_leaving_a_subscription_early_aborts_it(connected):
    hub, peer = connected

    async def first():
        async with aclosing(hub.subscribe("log.follow")) as items:
            async for item in items:
                return item

    taking = asyncio.create_task(first())
    requested = await peer.expect(frames.CallRequested)
    await peer.respond(requested.request_id, "one")
    assert await taking == "one"
    assert (await peer.expect(frames.CallAbort)).request_id == requested.request_id


async def test_a_subscription_that_fails_gives_what_came_before(connected):
    hub, peer = connected
    items = hub.subscribe("log.follow")
    beginning = asyncio.create_task(anext(items))
    requested = await peer.expect(frames.CallRequested)
    await peer.respond(requested.request_id, 1)
    await peer.respond(requested.request_id, 2)
    await peer.aborted(requested.request_id, "callee_left")
    assert [await beginning, await anext(items)] == [1, 2]
    with pytest.raises(Aborted) as caught:
        await anext(items)
    assert caught.value.details == {"reason": "callee_left"}


async def test_a_silent_subscription_times_out_and_is_aborted(connected):
    hub, peer = connected
    with pytest.raises(TimedOut):
        await anext(hub.subscribe("log.follow", idle_timeout_s=0.01))
    requested = await peer.expect(frames.CallRequested)
    assert requested.idle_timeout == 10
    assert (await peer.expect(frames.CallAbort)).request_id == requested.request_id


async def test_a_subscription_that_is_not_read_ends_and_others_go_on(connected):
    hub, peer = connected
    items = hub.subscribe("log.follow")
    beginning = asyncio.create_task(anext(items))
    requested = await peer.expect(frames.CallRequested)
    text = "x" * 500_000
    sent = WAITING_BYTES_MAX // len(text) + 3
    for _ in range(sent):
        await peer.respond(requested.request_id, text)
    aborted = await peer.expect(frames.CallAbort)
    assert aborted.request_id == requested.request_id
    calling = asyncio.create_task(hub.call("a.b"))
    other = await peer.expect(frames.CallRequested)
    await peer.respond(other.request_id, "unhurt")
    assert await calling == "unhurt"
    taken = [await beginning]
    with pytest.raises(Aborted) as caught:
        async for item in items:
            taken.append(item)
    assert caught.value.details["reason"] == "slow_consumer"
    assert 0 < len(taken) < sent


async def test_an_input_over_the_hubs_limit_is_refused_before_it_is_sent(connected):
    hub, peer = connected
    with pytest.raises(TooLarge) as caught:
        await hub.call("a.b", {"text": "x" * HELLO.frame_bytes_max})
    assert caught.value.details["bytesMax"] == HELLO.frame_bytes_max
    calling = asyncio.create_task(hub.call("a.c"))
    assert (await peer.expect(frames.CallRequested)).operation_id == "a.c"
    calling.cancel()


async def test_searching_asks_the_hubs_own_operation(connected):
    hub, peer = connected
    searching = asyncio.create_task(hub.search("read a file", limit=3))
    requested = await peer.expect(frames.CallRequested)
    assert requested.operation_id == "operation.search"
    assert msgspec.json.decode(requested.input) == {"text": "read a file", "limit": 3}
    await peer.respond(requested.request_id, {"items": []})
    assert await searching == {"items": []}


async def test_a_frame_that_is_not_understood_is_passed_over(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.wire.send('{"type": "call.imagined", "payload": {}}')
    await peer.respond(requested.request_id, "done")
    assert await calling == "done"


async def test_a_complaint_about_a_call_ends_it(connected):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    payload = frames.Complaint(code="VALIDATION_ERROR", message="the frame cannot be read")
    await peer.send(frames.HubComplaint(id=requested.request_id, payload=payload))
    with pytest.raises(Invalid):
        await calling


async def test_a_caller_refuses_calls_that_are_sent_to_it(connected):
    _, peer = connected
    await peer.request("call-1", "dev.fs.read", {})
    assert (await peer.expect(frames.CallFailed)).code == "OPERATION_NOT_FOUND"


async def test_a_lost_connection_ends_calls_and_later_ones_take_the_next(connected, scripted):
    hub, peer = connected
    calling = asyncio.create_task(hub.call("a.b"))
    items = hub.subscribe("log.follow")
    following = asyncio.create_task(anext(items))
    await peer.expect(frames.CallRequested)
    await peer.expect(frames.CallRequested)
    peer.wire.transport.abort()
    for task in (calling, following):
        with pytest.raises(Aborted) as caught:
            await task
        assert caught.value.details == {"reason": "connection_lost"}
    later = asyncio.create_task(hub.call("a.c"))
    second = await scripted.peer()
    requested = await second.expect(frames.CallRequested)
    assert requested.operation_id == "a.c"  # and not the one that may have run
    await second.respond(requested.request_id, "done")
    assert await later == "done"


async def test_a_draining_hub_answers_what_runs_and_gets_no_more(connected, scripted):
    hub, peer = connected
    running = asyncio.create_task(hub.call("a.b"))
    requested = await peer.expect(frames.CallRequested)
    await peer.drain(retry_after_ms=1)
    await peer.request("call-9", "any.thing", {})
    await peer.expect(frames.CallFailed)  # so the drain before it was read too
    later = asyncio.create_task(hub.call("a.c"))
    await peer.respond(requested.request_id, "finished")
    assert await running == "finished"
    second = await scripted.peer()
    moved = await second.expect(frames.CallRequested)
    assert moved.operation_id == "a.c"
    await second.respond(moved.request_id, "done")
    assert await later == "done"


async def test_calls_in_flight_end_when_the_hub_is_left(scripted):
    async with hub_at(scripted) as hub:
        call = await hub.start("a.b")
        peer = await scripted.peer()
        await peer.expect(frames.CallRequested)
    with pytest.raises(Aborted):
        await call.result()
    await peer.wire.wait_closed()
    assert peer.wire.close_code == 1001
    with pytest.raises(Aborted) as caught:
        await hub.call("a.b")
    assert caught.value.details == {"reason": "closed"}


async def test_what_the_body_raises_comes_out_as_it_is(scripted):
    with pytest.raises(NotFound):
        async with hub_at(scripted):
            raise NotFound("of the program's own")


async def test_a_call_that_cannot_be_sent_is_not_waited_for(connected):
    hub, peer = connected
    with pytest.raises(UnicodeEncodeError):
        await hub.call("half.\ud800", timeout_s=None)
    await peer.drain(retry_after_ms=0)
    await peer.wire.wait_closed()


async def test_a_key_that_the_hub_does_not_know_is_told_at_once(scripted):
    with pytest.raises(Unauthenticated):
        async with Hub(scripted.url, key="wrong"):
            raise AssertionError("must not connect")


async def test_a_key_that_is_revoked_ends_every_later_call(connected):
    hub, peer = connected
    await peer.wire.close(4001, "revoked")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await hub.call("a.b")


async def test_where_nobody_listens_there_is_no_hub():
    async with scripted_hub() as gone:
        url = gone.url
    with pytest.raises(Unavailable):
        async with Hub(url, key=KEY):
            raise AssertionError("must not connect")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/ws", "http://127.0.0.1:x", "http://127.0.0.1:99999", "http://a..b"]
)
async def test_what_is_no_address_is_invalid(url):
    with pytest.raises(Invalid) as caught:
        async with Hub(url, key=KEY):
            raise AssertionError("must not connect")
    assert caught.value.details["errors"][0]["field"] == "url"


async def test_without_a_connection_a_call_waits_no_longer_than_it_may():
    async with AsyncExitStack() as leaving:
        async with scripted_hub() as gone:
            hub = await leaving.enter_async_context(hub_at(gone))
            await gone.peer()
        with pytest.raises(Unavailable):
            await hub.call("a.b", timeout_s=0.05)
