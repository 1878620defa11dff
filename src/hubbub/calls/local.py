"""The hub's own operations as a provider like any other."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub.calls.model import HUB, Ask, Call, Provider
from hubbub.calls.tasked import TaskedLink
from hubbub.calls.waiting import Calls
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import Busy
from hubbub.operations.execution import Executor, Order
from hubbub.operations.operation import Operation
from hubbub.protocol.frames import Progressed

ACCOUNT_CALLS_MAX: Final = 512
"""Half of what the hub carries out at once. Nobody alone can keep all others out."""


class LocalLink(TaskedLink):
    """Carries calls out by the hub's own operations."""

    def __init__(
        self,
        calls: Calls,
        executor: Executor,
        operations: Sequence[Operation],
        tasks: TaskGroup,
    ) -> None:
        super().__init__(calls.router, tasks)
        self._calls = calls
        self._executor = executor
        self._operations = {operation.spec.id: operation for operation in operations}
        self._held: Counter[str] = Counter()  # calls by account
        self.provider = Provider(type=HUB, id=HUB, name=HUB, link=self)

    def _admit(self, call: Call) -> None:
        account_id = _account_of(call)
        if self._held[account_id] >= ACCOUNT_CALLS_MAX:
            raise Busy(
                "too many calls of yours are with the hub itself",
                maximum=ACCOUNT_CALLS_MAX,
                retryAfterMs=100,
            )
        self._held[account_id] += 1

    def _ended(self, call: Call) -> None:
        account_id = _account_of(call)
        self._held[account_id] -= 1
        if not self._held[account_id]:
            del self._held[account_id]

    async def _answer(self, call: Call) -> None:
        order = Order(
            operation=self._operations[call.operation_id],
            input=call.input,
            caller=call.caller,
            call_id=call.id,
            nested=_Nested(self._calls, call),
            progress=lambda *args: self._progress(call, *args),
        )
        async with aclosing(self._executor.answers(order)) as answers:
            async for envelope in answers:
                self._router.responded(self.provider, call.id, Raw(envelope))
        if call.definition.streams:
            self._router.completed(self.provider, call.id)

    def _progress(self, call: Call, progress: float, total: float | None, message: str) -> None:
        told = Progressed(request_id=call.id, progress=progress, total=total, message=message)
        self._router.progressed(self.provider, call.id, told)


def _account_of(call: Call) -> str:
    return call.caller.account_id if call.caller.identity is not None else ""


class _Nested:
    """Calls that carry the lineage of the call in which they are made."""

    def __init__(self, calls: Calls, parent: Call) -> None:
        self._calls = calls
        self._parent = parent

    async def __call__(
        self, operation_id: str, input: bytes, *, provider: str | None, timeout_ms: int | None
    ) -> AsyncIterator[bytes]:
        ask = Ask(
            operation_id=operation_id,
            input=Raw(input),
            parent_id=self._parent.id,
            deadline_ms=None if timeout_ms is None else epoch_ms() + timeout_ms,
            idle_timeout_ms=timeout_ms,
            provider=provider,
        )
        async with self._calls.opened(ask, self._parent.caller) as (_, answers):
            async for answer in answers:
                if isinstance(answer, Raw):
                    yield bytes(answer)
