"""The hub's own operations as a provider like any other."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from anyio import CancelScope
from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub.calls.model import HUB, Ask, Call, Provider, Reason
from hubbub.calls.waiting import Calls
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import Busy, ExecutionFailed, HubError, Unavailable
from hubbub.operations.execution import Executor, Order
from hubbub.operations.operation import Operation
from hubbub.protocol.frames import Progressed

log = logging.getLogger(__name__)

ACCOUNT_CALLS_MAX: Final = 512
"""Half of what the hub carries out at once. Nobody alone can keep all others out."""


class LocalLink:
    """Carries calls out in this process, each in a task of its own."""

    def __init__(
        self,
        calls: Calls,
        executor: Executor,
        operations: Sequence[Operation],
        tasks: TaskGroup,
    ) -> None:
        self._calls = calls
        self._router = calls.router
        self._executor = executor
        self._operations = {operation.spec.id: operation for operation in operations}
        self._tasks = tasks
        self._running: dict[str, CancelScope] = {}
        self._held: Counter[str] = Counter()  # calls by account
        self.provider = Provider(type=HUB, id=HUB, name=HUB, link=self)

    def send(self, call: Call) -> None:
        if self._tasks.cancel_scope.cancel_called:
            raise Unavailable("the hub is leaving", retryAfterMs=1000)
        account_id = call.caller.account_id if call.caller.identity is not None else ""
        if self._held[account_id] >= ACCOUNT_CALLS_MAX:
            raise Busy(
                "too many calls of yours are with the hub itself",
                maximum=ACCOUNT_CALLS_MAX,
                retryAfterMs=100,
            )
        self._held[account_id] += 1
        scope = self._running[call.id] = CancelScope()
        self._tasks.start_soon(self._carry_out, call, scope, account_id)

    def abort(self, call: Call, reason: Reason) -> None:
        scope = self._running.get(call.id)
        if scope is not None:
            scope.cancel(reason.value)

    async def _carry_out(self, call: Call, scope: CancelScope, account_id: str) -> None:
        try:
            with scope:
                await self._answer(call)
                return
            self._router.stopped(self.provider, call.id)
        except HubError as error:
            self._router.failed(self.provider, call.id, error)
        except Exception:
            log.exception("%s failed in call %s", call.operation_id, call.id)
            failure = ExecutionFailed("the operation failed", operation=call.operation_id)
            self._router.failed(self.provider, call.id, failure)
        finally:
            del self._running[call.id]
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
