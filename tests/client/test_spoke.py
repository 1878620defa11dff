"""A spoke, over a real socket, against a hub that follows a script."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hubbub.client import (
    Aborted,
    AccessDenied,
    Backoff,
    CallContext,
    Conflict,
    DomainError,
    ErrorDefinition,
    Identity,
    NotFound,
    Spoke,
    Unauthenticated,
    Unavailable,
    pair,
)
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol import codec, frames
from tests.client.peer import HELLO, KEY, data, error

AT_ONCE = Backoff(base_s=0)


def a_spoke(**more):
    return Spoke("laptop", reconnect=AT_ONCE, **more)


@asynccontextmanager
async def serving(spoke, scripted):
    """The peer with which `spoke` is registered."""
    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    peer = await scripted.peer()
    await peer.register()
    await spoke.ready()
    yield peer
    running.cancel()
    await asyncio.wait((running,))


async def test_it_registers_what_its_functions_say_of_themselves(scripted):
    spoke = a_spoke(type="compute", concurrency_max=3, project_id="p1")
    missing = ErrorDefinition(code="NOT_FOUND", description="no such file")

    @spoke.operation(namespace="dev.fs", scopes=("dev:read",), errors=(missing,), tags=("files",))
    def read_lines(path: str, max_lines: int = 10) -> list[str]:
        """The first lines of a file.

        Args:
            path: where it is.
        """
        return []

    @spoke.operation(namespace="chat", name="complete", type="mutation", shared=True)
    async def answer(text: str, ctx: CallContext) -> str:
        return text

    @spoke.operation(namespace="log", idempotent=True)
    async def follow() -> AsyncIterator[int]:
        yield 1

    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    registration = await (await scripted.peer()).register()
    running.cancel()
    host = registration.pop("hostInfo")
    assert host["pythonVersion"] and host["cpu"] > 0
    operations = registration.pop("operations")
    assert registration == {
        "name": "laptop",
        "spokeType": "compute",
        "spokeId": None,
        "projectId": "p1",
        "concurrencyMax": 3,
    }
    assert operations[0] == {
        "namespace": "dev.fs",
        "name": "readLines",
        "type": "query",
        "description": "The first lines of a file.",
        "version": "1.0.0",
        "title": None,
        "tags": ["files"],
        "inputSchema": {
            "title": "read_lines",
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "maxLines": {"type": "integer", "default": 10},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        "outputSchema": {"type": "array", "items": {"type": "string"}},
        "errorSchemas": [
            {"code": "NOT_FOUND", "description": "no such file", "schema": {}, "httpStatus": None}
        ],
        "accessControl": {"requiredScopes": ["dev:read"]},
        "idempotent": False,
        "shared": False,
        "_meta": {},
    }
    said = [
        (each["namespace"], each["name"], each["type"], each["shared"], each["idempotent"])
        for each in operations[1:]
    ]
    assert said == [
        ("chat", "complete", "mutation", True, False),
        ("log", "follow", "subscription", False, True),
    ]


def test_a_function_that_cannot_be_offered_is_refused_where_it_is_defined():
    spoke = a_spoke()

    def offer(function, **terms):
        spoke.operation(namespace="a", **terms)(function)

    def untyped(thing):
        return thing

    def no_stream() -> Iterator[int]:
        return iter(())

    def plain() -> int:
        return 1

    def streaming() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError):
        offer(untyped)
    with pytest.raises(TypeError):
        offer(no_stream)
    with pytest.raises(TypeError):
        offer(plain, type="subscription")
    with pytest.raises(TypeError):
        offer(streaming, type="query")
    with pytest.raises(ValueError):
        offer(plain, name="not a name")
    offer(plain)
    with pytest.raises(ValueError):
        offer(plain)


async def test_a_plain_function_answers_from_a_thread_of_its_own(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    def thread() -> bool:
        return threading.current_thread() is threading.main_thread()

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.thread", {})
        answer = await peer.expect(frames.CallResponded)
        assert (answer.request_id, data(answer)) == ("call-1", False)


async def test_the_context_tells_who_calls_and_until_when(scripted):
    spoke = a_spoke()
    seen = asyncio.Queue()

    @spoke.operation(namespace="test")
    async def look(word: str, ctx: CallContext) -> str:
        seen.put_nowait((ctx.call_id, ctx.identity, ctx.deadline, ctx.cancelled))
        return word.upper()

    identity = msgspec.Raw(b'{"id": "account-1", "scopes": ["dev:read"], "resources": {}}')
    async with serving(spoke, scripted) as peer:
        await peer.request(
            "call-1", "test.look", {"word": "hello"}, identity=identity, deadline=1_700_000_000_000
        )
        assert data(await peer.expect(frames.CallResponded)) == "HELLO"
        await peer.request("call-2", "test.look", {"word": "x"})
        await peer.expect(frames.CallResponded)
    assert seen.get_nowait() == (
        "call-1",
        Identity(id="account-1", scopes=("dev:read",)),
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        False,
    )
    assert seen.get_nowait() == ("call-2", None, None, False)


async def test_progress_reaches_the_caller_before_the_answer(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def work(ctx: CallContext) -> None:
        await ctx.progress(0.5, total=1, message="half")

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.work", {})
        progress = await peer.expect(frames.CallProgressed)
        assert (progress.request_id, progress.progress, progress.total, progress.message) == (
            "call-1",
            0.5,
            1,
            "half",
        )
        assert data(await peer.expect(frames.CallResponded)) is None


async def test_calls_made_inside_a_call_carry_its_id(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def outer(ctx: CallContext) -> list[Any]:
        first = await ctx.call("other.one", {"n": 1}, provider="desktop")
        return [first, *[item async for item in ctx.subscribe("other.many")]]

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.outer", {})
        one = await peer.expect(frames.CallRequested)
        assert (one.operation_id, one.parent_request_id, one.provider) == (
            "other.one",
            "call-1",
            "desktop",
        )
        await peer.respond(one.request_id, "a")
        many = await peer.expect(frames.CallRequested)
        assert (many.operation_id, many.parent_request_id) == ("other.many", "call-1")
        await peer.respond(many.request_id, "b")
        await peer.complete(many.request_id)
        assert data(await peer.expect(frames.CallResponded)) == ["a", "b"]


async def test_a_spoke_calls_the_hub_over_the_same_connection(scripted):
    spoke = a_spoke()
    async with serving(spoke, scripted) as peer:
        calling = asyncio.create_task(spoke.hub.call("task.ready"))
        requested = await peer.expect(frames.CallRequested)
        assert (requested.operation_id, requested.parent_request_id) == ("task.ready", None)
        await peer.respond(requested.request_id, [])
        assert await calling == []


class File(msgspec.Struct):
    path: str


@pytest.mark.parametrize(
    ("input", "field", "expected"),
    [
        ({}, "file", "Object missing required field `file`"),
        ({"file": {}}, "file.path", "Object missing required field `path`"),
        ({"file": {"path": 1}}, "file.path", "Expected `str`, got `int`"),
        ({"file": {"path": ""}, "n": "x"}, "n", "Expected `int`, got `str`"),
        ({"file": {"path": ""}, "q": 1}, "q", "Object contains unknown field `q`"),
        ([], "$", "Expected `object`, got `array`"),
    ],
)
async def test_an_input_that_does_not_fit_names_the_field(scripted, input, field, expected):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def read(file: File, n: int = 0) -> None:
        raise AssertionError("must not run")

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.read", input)
        assert error(await peer.expect(frames.CallFailed)) == (
            "VALIDATION_ERROR",
            {"errors": [{"field": field, "expected": expected}]},
        )


@pytest.mark.parametrize(
    ("raised", "code", "details"),
    [
        (AccessDenied("outside the root", path="/etc"), "ACCESS_DENIED", {"path": "/etc"}),
        (DomainError("QUOTA_EXCEEDED", "too many", used=5), "QUOTA_EXCEEDED", {"used": 5}),
        (DomainError("ODD", "details that are not JSON", what=object()), "ODD", {}),
        (Unavailable("not now"), "EXECUTION_ERROR", {"cause": "UNAVAILABLE"}),
        (ZeroDivisionError("division by zero"), "EXECUTION_ERROR", {}),
        (StopIteration(), "EXECUTION_ERROR", {}),
        (SystemExit(3), "EXECUTION_ERROR", {}),
        (asyncio.CancelledError(), "EXECUTION_ERROR", {}),
        (ValueError("no file \udcff"), "EXECUTION_ERROR", {}),
    ],
)
@pytest.mark.parametrize("threaded", [False, True])
async def test_what_a_function_raises_reaches_the_caller(scripted, raised, code, details, threaded):
    spoke = a_spoke()

    def fail() -> None:
        raise raised

    async def fail_async() -> None:
        raise raised

    spoke.operation(namespace="test", name="fail")(fail if threaded else fail_async)
    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.fail", {})
        assert error(await peer.expect(frames.CallFailed)) == (code, details)


async def test_a_bug_is_told_by_its_message_and_without_its_traceback(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def fail() -> None:
        raise RuntimeError("the disk is on fire")

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.fail", {})
        failed = await peer.expect(frames.CallFailed)
        assert (failed.code, failed.message, bytes(failed.details)) == (
            "EXECUTION_ERROR",
            "the disk is on fire",
            b"",
        )


async def test_a_result_that_is_not_json_fails_the_call(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def odd() -> object:
        return object()

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.odd", {})
        assert (await peer.expect(frames.CallFailed)).code == "EXECUTION_ERROR"


async def test_an_answer_over_the_hubs_limit_is_told_as_such(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def big() -> str:
        return "x" * HELLO.frame_bytes_max

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.big", {})
        assert (await peer.expect(frames.CallFailed)).code == "TOO_LARGE"


async def test_a_call_as_large_as_a_hub_takes_is_answered(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def size(text: str) -> int:
        return len(text)

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.size", {"text": "x" * FRAME_BYTES_MAX})
        assert data(await peer.expect(frames.CallResponded)) == FRAME_BYTES_MAX


async def test_an_operation_that_it_does_not_offer_is_not_found(scripted):
    async with serving(a_spoke(), scripted) as peer:
        await peer.request("call-1", "test.other", {})
        assert (await peer.expect(frames.CallFailed)).code == "OPERATION_NOT_FOUND"


def stream_of(spoke, closed, *, threaded):
    """Offers `test.count`, which yields numbers until it is left, and then sets `closed`."""
    if threaded:

        @spoke.operation(namespace="test")
        def count(to: int = 1_000_000) -> Iterator[int]:
            try:
                yield from range(to)
            finally:
                closed.set()
    else:

        @spoke.operation(namespace="test", name="count")
        async def count_async(to: int = 1_000_000) -> AsyncIterator[int]:
            try:
                for n in range(to):
                    yield n
                    await asyncio.sleep(0)
            finally:
                closed.set()


@pytest.mark.parametrize("threaded", [False, True])
async def test_a_function_that_yields_answers_many_times_and_completes(scripted, threaded):
    spoke = a_spoke()
    stream_of(spoke, threading.Event(), threaded=threaded)
    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.count", {"to": 3})
        assert [data(await peer.expect(frames.CallResponded)) for _ in range(3)] == [0, 1, 2]
        assert (await peer.expect(frames.CallCompleted)).request_id == "call-1"


@pytest.mark.parametrize("threaded", [False, True])
async def test_an_aborted_stream_is_closed(scripted, threaded):
    spoke = a_spoke()
    closed = threading.Event()
    stream_of(spoke, closed, threaded=threaded)
    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.count", {})
        await peer.expect(frames.CallResponded)
        await peer.aborted("call-1", "cancelled_by_caller")
        while isinstance(frame := await peer.receive(), frames.CallResponded):
            pass
        assert isinstance(frame, frames.CallAbort)
        assert frame.payload.reason == "cancelled_by_caller"
        assert await asyncio.to_thread(closed.wait, 5)


async def test_an_abort_cancels_the_function_and_is_answered_when_it_is_over(scripted):
    spoke = a_spoke()
    told = []

    @spoke.operation(namespace="test")
    async def wait(ctx: CallContext) -> None:
        await ctx.progress(0)
        try:
            await asyncio.Event().wait()
        finally:
            told.append(ctx.cancelled)

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.wait", {})
        await peer.expect(frames.CallProgressed)
        await peer.aborted("call-1", "timeout")
        aborted = await peer.expect(frames.CallAbort)
        assert (aborted.request_id, aborted.reason, told) == ("call-1", "timeout", [True])


async def test_a_call_that_is_aborted_before_it_began_is_answered_all_the_same(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def never() -> None:
        raise AssertionError("must not run")

    async with serving(spoke, scripted) as peer:
        # Both arrive in one piece, so the abort is read before the call's task takes a step.
        payload = frames.Requested(request_id="call-1", operation_id="test.never")
        abort = frames.CallAborted(request_id="call-1", reason="timeout")
        async with peer.wire.send_context():
            for frame in (frames.CallRequested(payload=payload), frames.CallAbort(payload=abort)):
                peer.wire.protocol.send_text(codec.encode(frame))
        assert (await peer.expect(frames.CallAbort)).reason == "timeout"


async def test_a_function_that_ignores_its_abort_is_aborted_all_the_same(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def stubborn(ctx: CallContext) -> str:
        await ctx.progress(0)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done after all"
        return ""

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.stubborn", {})
        await peer.expect(frames.CallProgressed)
        await peer.aborted("call-1", "timeout")
        assert (await peer.expect(frames.CallAbort)).request_id == "call-1"


async def test_a_thread_that_cannot_be_stopped_keeps_its_slot_until_it_is_over(scripted):
    spoke = a_spoke(concurrency_max=1)
    begun, release, seen = threading.Event(), threading.Event(), []

    @spoke.operation(namespace="test")
    def hang(ctx: CallContext) -> None:
        begun.set()
        release.wait(5)
        seen.append(ctx.cancelled)

    @spoke.operation(namespace="test")
    async def quick() -> str:
        return "free"

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.hang", {})
        assert await asyncio.to_thread(begun.wait, 5)
        await peer.aborted("call-1", "timeout")
        assert (await peer.expect(frames.CallAbort)).request_id == "call-1"
        await peer.request("call-2", "test.quick", {})
        code, details = error(await peer.expect(frames.CallFailed))
        assert (code, details["reason"]) == ("UNAVAILABLE", "concurrency")
        release.set()
        while True:
            await peer.request("call-3", "test.quick", {})
            if isinstance(frame := await peer.receive(), frames.CallResponded):
                break
        assert (data(frame.payload), seen) == ("free", [True])


async def test_a_thread_learns_that_the_connection_is_lost(scripted):
    spoke = a_spoke()
    begun, seen = threading.Event(), threading.Event()

    @spoke.operation(namespace="test")
    def poll(ctx: CallContext) -> None:
        begun.set()
        while not ctx.cancelled:
            pass
        seen.set()

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.poll", {})
        assert await asyncio.to_thread(begun.wait, 5)
        peer.wire.transport.abort()
        assert await asyncio.to_thread(seen.wait, 5)


async def test_a_hub_that_does_not_read_stops_the_function_that_yields():
    spoke = a_spoke()
    made = []

    @spoke.operation(namespace="test")
    async def flood() -> AsyncIterator[int]:
        for n in range(1_000):
            made.append(n)
            yield n

    ours, theirs = pair(size=4)
    serving = asyncio.create_task(spoke.serve(theirs))
    await ours.send(codec.encode(frames.HubHello(payload=HELLO)))
    await ours.receive()
    payload = frames.Requested(request_id="call-1", operation_id="test.flood")
    await ours.send(codec.encode(frames.CallRequested(payload=payload)))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert made == [0, 1, 2, 3, 4]  # four on their way, and one in hand
    await ours.close()
    await serving


async def test_over_its_concurrency_a_call_is_not_started(scripted):
    spoke = a_spoke(concurrency_max=2)
    release = asyncio.Event()

    @spoke.operation(namespace="test")
    async def hold(ctx: CallContext) -> str:
        await ctx.progress(0)
        await release.wait()
        return ctx.call_id

    async with serving(spoke, scripted) as peer:
        for id in ("call-1", "call-2"):
            await peer.request(id, "test.hold", {})
            await peer.expect(frames.CallProgressed)
        await peer.request("call-3", "test.hold", {})
        assert error(await peer.expect(frames.CallFailed)) == (
            "UNAVAILABLE",
            {"reason": "concurrency", "retryAfterMs": 100},
        )
        release.set()
        answered = {data(await peer.expect(frames.CallResponded)) for _ in range(2)}
        assert answered == {"call-1", "call-2"}


async def test_it_comes_back_as_the_spoke_that_it_was(scripted):
    spoke = a_spoke()
    cancelled = asyncio.Event()

    @spoke.operation(namespace="test")
    async def hold(ctx: CallContext) -> None:
        await ctx.progress(0)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.hold", {})
        await peer.expect(frames.CallProgressed)
        peer.wire.transport.abort()
        await cancelled.wait()
        again = await scripted.peer()
        registration = await again.register(epoch=2)
        assert registration["spokeId"] == "spoke-1"
        assert (await spoke.ready()).epoch == 2
        await again.request("call-1", "test.hold", {})
        assert (await again.expect(frames.CallProgressed)).request_id == "call-1"


async def test_a_registration_that_is_refused_for_now_is_tried_again(scripted):
    spoke = a_spoke()
    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    first = await scripted.peer()
    requested = await first.expect(frames.CallRequested)
    await first.fail(requested.request_id, DomainError("EXECUTION_ERROR", "the disk is full"))
    await (await scripted.peer()).register()
    assert (await spoke.ready()).spoke_id == "spoke-1"
    running.cancel()


async def test_a_spoke_that_the_hub_has_forgotten_comes_back_by_its_name(scripted):
    spoke = a_spoke()
    async with serving(spoke, scripted) as peer:
        peer.wire.transport.abort()
        again = await scripted.peer()
        requested = await again.expect(frames.CallRequested)
        await again.fail(requested.request_id, NotFound("no spoke", spoke="spoke-1"))
        registration = await (await scripted.peer()).register("spoke-2")
        assert (registration["name"], registration["spokeId"]) == ("laptop", None)
        assert (await spoke.ready()).spoke_id == "spoke-2"


async def test_a_registration_that_is_refused_for_good_ends_it(scripted):
    spoke = a_spoke()
    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    peer = await scripted.peer()
    requested = await peer.expect(frames.CallRequested)
    await peer.fail(requested.request_id, AccessDenied("no spokes", requiredScopes=["spoke"]))
    for waiting in (running, spoke.ready()):
        with pytest.raises(AccessDenied) as caught:
            await waiting
        assert caught.value.details == {"requiredScopes": ["spoke"]}


async def test_a_key_that_the_hub_does_not_know_ends_it(scripted):
    with pytest.raises(Unauthenticated):
        await a_spoke().run(scripted.url, key="wrong")


@pytest.mark.parametrize(("code", "kind"), [(4001, Unauthenticated), (4009, Conflict)])
async def test_a_connection_that_is_closed_for_good_ends_it(scripted, code, kind):
    running = asyncio.create_task(a_spoke().run(scripted.url, key=KEY))
    peer = await scripted.peer()
    await peer.register()
    await peer.wire.close(code)
    with pytest.raises(kind):
        await running


async def test_draining_finishes_what_runs_and_starts_no_more(scripted):
    spoke = a_spoke()
    release = asyncio.Event()

    @spoke.operation(namespace="test")
    async def hold(ctx: CallContext) -> str:
        await ctx.progress(0)
        await release.wait()
        return "finished"

    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    peer = await scripted.peer()
    await peer.register()
    await peer.request("call-1", "test.hold", {})
    await peer.expect(frames.CallProgressed)
    draining = asyncio.create_task(spoke.drain())
    await asyncio.wait((draining,), timeout=0)
    await peer.request("call-2", "test.hold", {})
    assert error(await peer.expect(frames.CallFailed)) == ("UNAVAILABLE", {"reason": "draining"})
    release.set()
    assert data(await peer.expect(frames.CallResponded)) == "finished"
    await peer.wire.wait_closed()
    assert peer.wire.close_code == 1001
    await draining
    await running
    with pytest.raises(Aborted):
        await spoke.ready()


async def test_draining_aborts_what_does_not_finish(scripted):
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def hold(ctx: CallContext) -> None:
        await ctx.progress(0)
        await asyncio.Event().wait()

    running = asyncio.create_task(spoke.run(scripted.url, key=KEY))
    peer = await scripted.peer()
    await peer.register()
    await peer.request("call-1", "test.hold", {})
    await peer.expect(frames.CallProgressed)
    await spoke.drain(timeout_s=0)
    assert (await peer.expect(frames.CallAbort)).reason == "callee_left"
    await running


async def test_draining_ends_a_spoke_that_finds_no_hub():
    spoke = Spoke("laptop")
    running = asyncio.create_task(spoke.run("ws://127.0.0.1:9/ws", key=KEY))
    await asyncio.wait((running,), timeout=0)
    await spoke.drain()
    await running


async def test_a_hub_that_drains_gets_what_runs_and_then_sees_it_again(scripted):
    spoke = a_spoke()
    release = asyncio.Event()

    @spoke.operation(namespace="test")
    async def hold(ctx: CallContext) -> str:
        await ctx.progress(0)
        await release.wait()
        return "finished"

    async with serving(spoke, scripted) as peer:
        await peer.request("call-1", "test.hold", {})
        await peer.expect(frames.CallProgressed)
        await peer.drain(retry_after_ms=1)
        release.set()
        assert data(await peer.expect(frames.CallResponded)) == "finished"
        again = await scripted.peer()
        assert (await again.register(epoch=2))["spokeId"] == "spoke-1"


async def test_it_serves_over_a_wire_in_memory_too():
    spoke = a_spoke()

    @spoke.operation(namespace="test")
    async def double(n: int) -> int:
        return 2 * n

    ours, theirs = pair()
    serving = asyncio.create_task(spoke.serve(theirs))
    await ours.send(codec.encode(frames.HubHello(payload=HELLO)))
    registering = codec.decode_call_frame(await ours.receive())
    result = b'{"data":{"spokeId":"s","epoch":1,"operations":[]},"meta":{"source":"local"}}'
    payload = frames.Responded(
        request_id=registering.payload.request_id, output=msgspec.Raw(result)
    )
    await ours.send(codec.encode(frames.CallResponded(payload=payload)))
    requested = frames.Requested(
        request_id="call-1", operation_id="test.double", input=msgspec.Raw(b'{"n":21}')
    )
    await ours.send(codec.encode(frames.CallRequested(payload=requested)))
    answer = codec.decode_call_frame(await ours.receive())
    assert data(answer.payload) == 42
    await ours.close()
    await serving


async def test_what_is_no_hub_is_not_served():
    ours, theirs = pair()
    await ours.send(b'{"type":"call.completed","payload":{"requestId":"1"}}')
    with pytest.raises(Unavailable):
        await a_spoke().serve(theirs)
    newer = msgspec.structs.replace(HELLO, protocol=2)
    ours, theirs = pair()
    await ours.send(codec.encode(frames.HubHello(payload=newer)))
    with pytest.raises(Conflict):
        await a_spoke().serve(theirs)
