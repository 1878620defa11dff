"""What holds of every link: to the hub itself, to a spoke behind a socket, to a spoke in memory."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import msgspec
import pytest
import websockets
from msgspec import Raw

from hubbub.app import open_database, serving
from hubbub.calls.local import LocalLink
from hubbub.calls.model import Ask, Call, Cancel, Provider, Reason
from hubbub.calls.offers import NotOffered
from hubbub.calls.router import Router
from hubbub.calls.waiting import Calls
from hubbub.catalog.model import defined
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Aborted, DomainError, ExecutionFailed, HubError, Unavailable
from hubbub.kernel.events import Bus
from hubbub.operations.context import Caller
from hubbub.operations.execution import Executor
from hubbub.operations.operation import operations_of
from hubbub.protocol import codec, frames
from hubbub.protocol.frames import Progressed
from hubbub.settings import Settings
from hubbub.spokes.link import SpokeLink
from hubbub.storage.migrate import upgrade
from tests.support.probes import BIG, REGISTRATION, SPECS, FramePeer, ProbeOperations, There
from tests.support.routing import ADA


@dataclass(kw_only=True)
class Far:
    """A hub and, at the far end of one link, the probes."""

    calls: Calls
    caller: Caller
    there: There
    provider: Provider
    refuse: Callable[[], None]
    """From now on nothing can be sent there."""
    leave: Callable[[], Awaitable[None]]

    @property
    def router(self) -> Router:
        return self.calls.router

    @asynccontextmanager
    async def open(self, name: str, input: bytes = b"{}") -> AsyncIterator[tuple[Call, object]]:
        ask = Ask(operation_id=f"probe.{name}", input=Raw(input))
        with anyio.fail_after(10):
            async with self.calls.opened(ask, self.caller, wants_progress=True) as opened:
                yield opened

    async def hear(self, name: str, input: bytes = b"{}") -> list[object]:
        """Everything that comes of a call: data of answers, and progress."""
        async with self.open(name, input) as (_, answers):
            return [_heard(each) async for each in answers]

    async def nothing_held(self) -> None:
        with anyio.fail_after(5):
            await self.router.quiet()
        assert set(self.router.held().values()) == {0}


def _heard(answer: Raw | Progressed) -> object:
    if isinstance(answer, Progressed):
        return answer.progress, answer.total, answer.message
    return msgspec.json.decode(answer)["data"]


async def _explain(error: HubError, operation_id: str, caller: Caller) -> HubError:
    return error


@asynccontextmanager
async def own(folder: Path) -> AsyncIterator[Far]:
    """The hub's own operations, on a database."""
    there = There()
    router = Router([])
    calls = Calls(router, _explain)
    operations = list(operations_of(ProbeOperations(there)))
    database = await open_database(f"sqlite:///{folder}/hub.sqlite", Bus())
    try:
        async with anyio.create_task_group() as tasks:
            link = LocalLink(calls, Executor(database, utc_now), operations, tasks)
            router.offer(
                link.provider, [(defined("row", op.spec), op.spec.id) for op in operations]
            )

            async def leave() -> None:
                router.withdraw(link.provider)

            yield Far(
                calls=calls,
                caller=ADA,
                there=there,
                provider=link.provider,
                refuse=tasks.cancel_scope.cancel,
                leave=leave,
            )
            router.close()
            tasks.cancel_scope.cancel()
    finally:
        await database.close()


class MemoryPeer:
    """A connection without a wire: what is handed over arrives a moment later."""

    connection_id = "memory"
    open = True

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self._deliver = deliver

    def send(self, frame: bytes) -> None:
        if self.open:
            asyncio.get_running_loop().call_soon(self._deliver, frame)

    def close(self, code: int, reason: str) -> None:
        self.open = False


@asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[Far]:
    """A spoke in memory: frames, and nothing that carries them."""
    there = There()
    router = Router([])
    calls = Calls(router, _explain)
    async with asyncio.TaskGroup() as tasks:
        far_end = FramePeer(there, lambda frame: near_end(frame), tasks)
        peer = MemoryPeer(far_end.received)
        provider = Provider(type="spoke", id="m", name="m", link=SpokeLink(peer), account_id="ada")
        back = _Back(far_end)

        def near_end(frame: bytes) -> None:
            asyncio.get_running_loop().call_soon(_received, router, provider, back, frame)

        router.offer(provider, [(defined("row", spec), spec.id) for spec in SPECS])

        async def leave() -> None:
            router.withdraw(provider)

        yield Far(
            calls=calls,
            caller=ADA,
            there=there,
            provider=provider,
            refuse=lambda: peer.close(1000, ""),
            leave=leave,
        )
        router.close()
        for task in list(far_end._running.values()):
            task.cancel()


class _Back:
    """The sink of what a spoke in memory asks for."""

    def __init__(self, far_end: FramePeer) -> None:
        self._far_end = far_end

    def answered(self, call: Call, output: Raw) -> None: ...

    def progressed(self, call: Call, progress: Progressed) -> None: ...

    def ended(self, call: Call, outcome) -> None:
        waiting = self._far_end.waiting.pop(call.request_id)
        if outcome.error is None:
            waiting.set_result(outcome.output)
        else:
            waiting.set_exception(outcome.error)


def _received(router: Router, provider: Provider, back: _Back, data: bytes) -> None:
    match codec.decode_call_frame(data):
        case frames.CallRequested(payload=payload):
            ask = Ask(
                operation_id=payload.operation_id,
                input=payload.input,
                request_id=payload.request_id,
                parent_id=payload.parent_request_id,
            )
            router.open(ask, ADA, back)
        case frames.CallResponded(payload=payload):
            router.responded(provider, payload.request_id, payload.output)
        case frames.CallCompleted(payload=payload):
            router.completed(provider, payload.request_id)
        case frames.CallFailed(payload=payload):
            router.failed(provider, payload.request_id, codec.error_of(payload))
        case frames.CallAbort(payload=payload):
            router.stopped(provider, payload.request_id)
        case frames.CallProgressed(payload=payload):
            router.progressed(provider, payload.request_id, payload)


@asynccontextmanager
async def spoke(folder: Path) -> AsyncIterator[Far]:
    """A spoke behind a socket."""
    there = There()
    settings = Settings(database=f"sqlite:///{folder}/hub.sqlite", port=0, drain_s=0)
    async with serving(settings) as (house, url):
        address = url.replace("http", "ws") + "/ws"
        headers = {"Authorization": f"Bearer {house.first_key}"}
        async with (
            websockets.connect(
                address,
                additional_headers=headers,
                subprotocols=[frames.SUBPROTOCOL],
                max_size=None,
                compression=None,
            ) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            outbox: asyncio.Queue[bytes] = asyncio.Queue()
            far_end = FramePeer(there, outbox.put_nowait, tasks)
            pumps = [
                tasks.create_task(_write(socket, outbox)),
                tasks.create_task(_read(socket, far_end)),
            ]
            await far_end.call("hub.register", codec.encode(REGISTRATION))
            (here,) = house.presence._by_id.values()
            caller = Caller(identity=here.peer._calls.caller.identity)
            yield Far(
                calls=house.calls,
                caller=caller,
                there=there,
                provider=here.provider,
                refuse=lambda: here.peer.close(1000, ""),
                leave=socket.close,
            )
            for task in (*pumps, *far_end._running.values()):
                task.cancel()


async def _write(socket: websockets.ClientConnection, outbox: asyncio.Queue[bytes]) -> None:
    while True:
        await socket.send((await outbox.get()).decode())


async def _read(socket: websockets.ClientConnection, far_end: FramePeer) -> None:
    async for message in socket:
        far_end.received(message)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A database that need not be made anew for each test."""
    path = tmp_path_factory.mktemp("links") / "hub.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=[own, spoke, memory], ids=lambda kind: kind.__name__)
def far(request, tmp_path, migrated):
    """Opens a link: `async with far() as far`."""
    shutil.copy(migrated, tmp_path)
    return lambda: request.param(tmp_path)


async def test_one_answer(far):
    async with far() as far:
        assert await far.hear("echo", b'{"text": "said"}') == ["said"]
        await far.nothing_held()


async def test_many_answers_and_then_the_end(far):
    async with far() as far:
        assert await far.hear("count") == [1, 2, 3]
        await far.nothing_held()


async def test_an_error_keeps_its_code_and_its_details(far):
    async with far() as far:
        with pytest.raises(DomainError) as refused:
            await far.hear("refuse")
        error = refused.value
        assert (error.name, error.message) == ("PROBE_REFUSED", "no")
        assert error.details == {"message": "tired", "field": "x"}


async def test_a_bug_there_is_told_without_what_it_was(far):
    async with far() as far:
        with pytest.raises(ExecutionFailed) as failed:
            await far.hear("crash")
        told = f"{failed.value.message} {failed.value.details}"
        assert "secret" not in told
        assert "Traceback" not in told


@pytest.mark.parametrize("mode", [Cancel.KILL, Cancel.KILLNOWAIT])
async def test_work_that_was_begun_stops_when_it_is_told_to_and_says_so(far, mode):
    async with far() as far, far.open("drip") as (call, answers):
        assert _heard(await anext(answers)) == 1
        await far.there.until(lambda: far.there.started == ["drip"])
        far.router.abort(call, mode)
        with pytest.raises(Aborted) as aborted:
            await anext(answers)
        assert aborted.value.details["reason"] == Reason.CANCELLED
        await far.there.until(lambda: far.there.cancelled == ["drip"])
        await far.nothing_held()


async def test_a_caller_who_goes_away_stops_the_work_there(far):
    async with far() as far:
        async with far.open("wait"):
            await far.there.until(lambda: far.there.started == ["wait"])
        await far.there.until(lambda: far.there.cancelled == ["wait"])
        await far.nothing_held()


async def test_to_stop_what_has_ended_is_no_error(far):
    async with far() as far:
        async with far.open("echo") as (call, answers):
            assert [_heard(each) async for each in answers] == [""]
        far.provider.link.abort(call, Reason.CANCELLED)
        assert await far.hear("echo", b'{"text": "still here"}') == ["still here"]


async def test_what_cannot_be_sent_is_not_started(far):
    async with far() as far:
        far.refuse()
        heard = []

        class Sink:
            def ended(self, call, outcome):
                heard.append(outcome.error)

        try:
            far.router.open(Ask(operation_id="probe.wait"), far.caller, Sink())
        except NotOffered as error:  # the provider went with its link
            heard.append(error)
        assert [isinstance(error, (NotOffered, Unavailable)) for error in heard] == [True]
        assert far.there.started == []


async def test_progress_comes_in_order_and_before_the_answer(far):
    async with far() as far:
        assert await far.hear("strive") == [
            (1, 3, "step 1"),
            (2, 3, "step 2"),
            (3, 3, "step 3"),
            "there",
        ]


async def test_a_big_answer_arrives_whole(far):
    async with far() as far:
        assert await far.hear("big") == ["é" * (BIG // 2)]


async def test_calls_end_when_their_provider_leaves(far):
    async with far() as far, far.open("wait") as (_, answers):
        await far.there.until(lambda: far.there.started == ["wait"])
        await far.leave()
        with pytest.raises(Aborted) as aborted:
            await anext(answers)
        assert aborted.value.details["reason"] == Reason.CALLEE_LEFT
        await far.nothing_held()


async def test_calls_from_inside_a_call_carry_its_lineage(far):
    class Recorder:
        behind = False
        seen: list[Call] = []

        def began(self, call):
            self.seen.append(call)

        def ended(self, call): ...

    async with far() as far:
        far.router._recorders.append(Recorder())
        assert await far.hear("ask") == ["child"]
        parent, child = Recorder.seen
        assert (child.parent_id, child.depth) == (parent.id, 1)
        assert child.caller.identity == parent.caller.identity
        assert bytes(child.input) == b'{"text": "child"}'
        await far.nothing_held()


async def test_an_input_is_the_same_on_the_way_through_the_hub(tmp_path, migrated):
    shutil.copy(migrated, tmp_path)
    async with spoke(tmp_path) as far:
        wanted = {"operation": "probe.echo", "input": {"text": "through"}}
        ask = Ask(operation_id="call.run", input=Raw(codec.encode(wanted)))
        async with far.calls.opened(ask, far.caller) as (_, answers):
            ((answer),) = [_heard(each) async for each in answers]
        assert answer["data"] == "through"


async def test_twenty_calls_at_once_are_not_mixed_up(far):
    async with far() as far:
        texts = [str(n) for n in range(20)]
        async with asyncio.TaskGroup() as tasks:
            heard = [
                tasks.create_task(far.hear("echo", codec.encode({"text": text}))) for text in texts
            ]
        assert [each.result() for each in heard] == [[text] for text in texts]
        await far.nothing_held()
