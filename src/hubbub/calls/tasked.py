"""A link that carries each call out in a task of its own, in this process."""

import logging
from abc import ABC, abstractmethod

from anyio import CancelScope
from anyio.abc import TaskGroup

from hubbub.calls.model import Call, Provider, Reason
from hubbub.calls.router import Router
from hubbub.kernel.errors import ExecutionFailed, HubError, Unavailable

log = logging.getLogger(__name__)


class TaskedLink(ABC):
    """Sends calls to tasks, and aborts by cancelling them."""

    provider: Provider
    """Who answers through this link."""

    def __init__(self, router: Router, tasks: TaskGroup) -> None:
        self._router = router
        self._tasks = tasks
        self._running: dict[str, CancelScope] = {}

    def send(self, call: Call) -> None:
        if self._tasks.cancel_scope.cancel_called:
            raise Unavailable("the hub is leaving", retryAfterMs=1000)
        self._admit(call)
        scope = self._running[call.id] = CancelScope()
        self._tasks.start_soon(self._carry_out, call, scope)

    def abort(self, call: Call, reason: Reason) -> None:
        scope = self._running.get(call.id)
        if scope is not None:
            scope.cancel(reason.value)

    def _admit(self, call: Call) -> None:  # noqa: B027  # most take what comes
        """Refuse what is not to be started."""

    def _ended(self, call: Call) -> None:  # noqa: B027  # as above
        """Whatever was admitted has ended."""

    @abstractmethod
    async def _answer(self, call: Call) -> None:
        """Carry it out, and tell the router every answer, and the end of a subscription.

        Raises:
            HubError: what it failed with.
        """

    async def _carry_out(self, call: Call, scope: CancelScope) -> None:
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
            self._ended(call)
