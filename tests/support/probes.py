"""The same few operations at the far end of every kind of link."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import anyio
import msgspec
from msgspec import Raw

from hubbub.kernel.errors import DomainError, ExecutionFailed, HubError
from hubbub.operations.context import Context
from hubbub.operations.inputs import Input
from hubbub.operations.operation import operation
from hubbub.protocol import codec, frames
from hubbub.protocol.envelope import local
from hubbub.protocol.specs import OperationSpec, Registration

BIG = 5 * 1024 * 1024


class There:
    """What happens at the far end."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.changed = asyncio.Condition()

    async def note(self, among: list[str], name: str) -> None:
        among.append(name)
        with anyio.CancelScope(shield=True):
            async with self.changed:
                self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(5):
            async with self.changed:
                await self.changed.wait_for(true)

    async def wait(self, name: str) -> None:
        """Work that never ends by itself."""
        await self.note(self.started, name)
        try:
            await anyio.sleep_forever()
        finally:
            await self.note(self.cancelled, name)


class Words(Input, frozen=True, kw_only=True):
    text: str = ""


class ProbeOperations:
    """As operations of the hub itself."""

    namespace = "probe"

    def __init__(self, there: There) -> None:
        self._there = there

    @operation(reads=True)
    async def echo(self, ctx: Context, words: Words) -> str:
        """Say it again."""
        return words.text

    @operation()
    async def count(self, ctx: Context) -> AsyncIterator[int]:
        """One, two, three."""
        for n in (1, 2, 3):
            yield n

    @operation()
    async def refuse(self, ctx: Context) -> None:
        """Fail with a code of its own."""
        raise DomainError("PROBE_REFUSED", "no", message="tired", field="x")

    @operation()
    async def crash(self, ctx: Context) -> None:
        """Fail with a bug."""
        raise ZeroDivisionError("secret")

    @operation()
    async def wait(self, ctx: Context) -> None:
        """Never end."""
        await self._there.wait("wait")

    @operation()
    async def drip(self, ctx: Context) -> AsyncIterator[int]:
        """Answer once and never end."""
        yield 1
        await self._there.wait("drip")

    @operation()
    async def big(self, ctx: Context) -> str:
        """Answer at length."""
        return "é" * (BIG // 2)

    @operation()
    async def strive(self, ctx: Context) -> str:
        """Tell how far it has come, and then that it is there."""
        for n in (1, 2, 3):
            ctx.progress(n, 3, f"step {n}")
        return "there"

    @operation()
    async def ask(self, ctx: Context) -> str:
        """Call another, and say what it said."""
        nested = ctx.nested("probe.echo", b'{"text": "child"}', provider=None, timeout_ms=None)
        async with aclosing(nested):
            async for envelope in nested:
                return msgspec.json.decode(envelope)["data"]
        raise AssertionError


TYPES = {
    "echo": "query", "count": "subscription", "refuse": "mutation", "crash": "mutation",
    "wait": "mutation", "drip": "subscription", "big": "mutation", "strive": "mutation",
    "ask": "mutation",
}  # fmt: skip

SPECS = [
    OperationSpec(namespace="probe", name=name, type=type, description=name)
    for name, type in TYPES.items()
]

REGISTRATION = Registration(name="prober", spoke_type="dev-env", operations=tuple(SPECS))


class FramePeer:
    """The same as a spoke that speaks frames, over whatever carries them."""

    def __init__(self, there: There, send: Callable[[bytes], None], tasks) -> None:
        self._there = there
        self._send = send
        self._tasks = tasks
        self._running: dict[str, asyncio.Task] = {}
        self.waiting: dict[str, asyncio.Future] = {}
        self.requested: list[frames.Requested] = []

    def received(self, data: bytes | str) -> None:
        match codec.decode_any_frame(data):
            case frames.CallRequested(payload=payload):
                self.requested.append(payload)
                task = self._tasks.create_task(self._answer(payload))
                self._running[payload.request_id] = task
            case frames.CallAbort(payload=payload) if payload.request_id in self._running:
                self._running[payload.request_id].cancel()
            case frames.CallResponded(payload=payload) if payload.request_id in self.waiting:
                self.waiting.pop(payload.request_id).set_result(payload.output)
            case frames.CallFailed(payload=payload) if payload.request_id in self.waiting:
                self.waiting.pop(payload.request_id).set_exception(codec.error_of(payload))

    async def call(self, operation_id: str, input: bytes, parent_id: str | None = None) -> object:
        """Call the hub, as a caller."""
        id = f"own {len(self.requested)} {operation_id}"
        answer = self.waiting[id] = asyncio.get_running_loop().create_future()
        asked = frames.Requested(
            request_id=id, operation_id=operation_id, input=Raw(input), parent_request_id=parent_id
        )
        self._tell(frames.CallRequested(id=id, payload=asked))
        return msgspec.json.decode(await answer)["data"]

    async def _answer(self, asked: frames.Requested) -> None:
        id = asked.request_id
        try:
            await self._carry_out(asked)
        except asyncio.CancelledError:
            self._tell(frames.CallAbort(id=id, payload=frames.CallAborted(request_id=id)))
        except HubError as error:
            self._tell(codec.failed(id, error))
        except Exception:
            self._tell(codec.failed(id, ExecutionFailed("the operation failed")))
        finally:
            del self._running[id]

    async def _carry_out(self, asked: frames.Requested) -> None:
        id = asked.request_id
        match asked.operation_id.removeprefix("probe."):
            case "echo":
                self._respond(id, msgspec.json.decode(asked.input).get("text", ""))
            case "count":
                for n in (1, 2, 3):
                    self._respond(id, n)
                self._tell(frames.CallCompleted(id=id, payload=frames.Completed(request_id=id)))
            case "refuse":
                raise DomainError("PROBE_REFUSED", "no", message="tired", field="x")
            case "crash":
                raise ZeroDivisionError("secret")
            case "wait":
                await self._there.wait("wait")
            case "drip":
                self._respond(id, 1)
                await self._there.wait("drip")
            case "big":
                self._respond(id, "é" * (BIG // 2))
            case "strive":
                for n in (1, 2, 3):
                    told = frames.Progressed(
                        request_id=id, progress=n, total=3, message=f"step {n}"
                    )
                    self._tell(frames.CallProgressed(id=id, payload=told))
                self._respond(id, "there")
            case "ask":
                said = await self.call("probe.echo", b'{"text": "child"}', parent_id=id)
                self._respond(id, said)

    def _respond(self, id: str, data: object) -> None:
        output = Raw(local("probe", data))
        responded = frames.Responded(request_id=id, output=output)
        self._tell(frames.CallResponded(id=id, payload=responded))

    def _tell(self, frame: object) -> None:
        self._send(codec.encode(frame))
