"""Calls that go on by themselves while their client looks in: the tasks extension.

A server behind the hub that has tasks is asked for its own. For all others the hub does it: a call
that takes long, of a client that knows of tasks, becomes one.
"""

import asyncio
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hubbub.calls.model import Ask
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp import results
from hubbub.interfaces.mcp.relay import Relay
from hubbub.kernel.clock import utc_now
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import INVALID_PARAMS, MISSING_CAPABILITY, TASKS, RpcError

KEPT_S: Final = 3600
POLL_MS: Final = 1000
TASKS_MAX: Final = 1_000
ACCOUNT_TASKS_MAX: Final = 64
OTHERS_MAX: Final = 10_000
OPERATIONS: Final = {
    "tasks/get": "mcp.getTask",
    "tasks/update": "mcp.updateTask",
    "tasks/cancel": "mcp.cancelTask",
}


class TaskRef(msgspec.Struct, frozen=True, rename="camel"):
    task_id: str
    input_responses: dict[str, Raw] | UnsetType = UNSET


@dataclass(kw_only=True, eq=False)
class _Task:
    """A call of the hub's that became a task."""

    id: str
    account_id: str
    relay: Relay
    shape: Callable[[Relay], bytes]
    created_at: datetime
    changed_at: datetime
    expiry: asyncio.TimerHandle
    status: str = "working"
    cancelled: bool = False


class Tasks:
    """Those that go on, and those that did."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._tasks: dict[str, _Task] = {}
        self._held: Counter[str] = Counter()
        self._others: OrderedDict[tuple[str, str], str] = OrderedDict()  # account, task: client

    def __len__(self) -> int:
        return len(self._tasks)

    def room(self, account_id: str) -> bool:
        """Whether there may be another."""
        return len(self._tasks) < TASKS_MAX and self._held[account_id] < ACCOUNT_TASKS_MAX

    def begin(
        self, relay: Relay, account_id: str, shape: Callable[[Relay], bytes]
    ) -> dict[str, object]:
        """Make a task of a call; what its request is answered with."""
        now = utc_now()
        id = secrets.token_urlsafe(18)
        expiry = asyncio.get_running_loop().call_later(KEPT_S, self._expired, id)
        task = self._tasks[id] = _Task(
            id=id,
            account_id=account_id,
            relay=relay,
            shape=shape,
            created_at=now,
            changed_at=now,
            expiry=expiry,
        )
        self._held[account_id] += 1
        relay.detach()
        self._entrance.extend(relay.call, KEPT_S)
        return {"resultType": "task", **_told(task)}

    def note(self, caller: Caller, client_id: str, result: bytes) -> None:
        """Remember whose task it is that a server has begun, if it has."""
        id = results.task_of(result)
        if id is not None:
            self._others[caller.account_id, id] = client_id
            if len(self._others) > OTHERS_MAX:
                self._others.popitem(last=False)

    def elsewhere(self, caller: Caller, method: str, ref: TaskRef) -> Ask | None:
        """How to ask the server whose task this is; None if it is the hub's.

        Raises:
            RpcError: if there is no such task.
        """
        account_id = caller.account_id
        if ref.task_id in self._tasks and self._tasks[ref.task_id].account_id == account_id:
            return None
        client_id = self._others.get((account_id, ref.task_id))
        if client_id is None:
            raise RpcError(INVALID_PARAMS, "there is no such task")
        input: dict[str, object] = {"taskId": ref.task_id}
        if not isinstance(ref.input_responses, UnsetType):
            input["inputResponses"] = ref.input_responses
        return Ask(operation_id=OPERATIONS[method], input=Raw(encode(input)), provider=client_id)

    def answered(self, method: str, ref: TaskRef) -> dict[str, object]:
        """What a method does with a task of the hub's."""
        task = self._tasks[ref.task_id]
        match method:
            case "tasks/cancel":
                task.cancelled = task.cancelled or task.relay.outcome is None
                self._entrance.end(task.relay.call)
                return {}
            case "tasks/update":
                given = ref.input_responses
                task.relay.attach(None, None, {} if isinstance(given, UnsetType) else given)
                return {}
            case _:
                return self._standing(task)

    def clear(self) -> None:
        """The hub leaves."""
        for id in list(self._tasks):
            self._expired(id)

    def _standing(self, task: _Task) -> dict[str, object]:
        more: dict[str, object] = {}
        status = "working"
        if task.cancelled:
            status = "cancelled"
        elif task.relay.outcome is not None:
            try:
                more, status = {"result": Raw(task.shape(task.relay))}, "completed"
            except RpcError as error:
                more, status = {"error": error.body}, "failed"
        elif task.relay.questions:
            more, status = {"inputRequests": dict(task.relay.questions)}, "input_required"
        if status != task.status:
            task.status, task.changed_at = status, utc_now()
        return {**_told(task), **more}

    def _expired(self, id: str) -> None:
        task = self._tasks.pop(id)
        task.expiry.cancel()
        self._held[task.account_id] -= 1
        if not self._held[task.account_id]:
            del self._held[task.account_id]
        self._entrance.end(task.relay.call)


def declared(capabilities: Mapping[str, Any]) -> bool:
    """Whether a client knows of tasks."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and TASKS in extensions


def require(capabilities: Mapping[str, Any]) -> None:
    """Refuse a client that does not know of tasks.

    Raises:
        RpcError: says what it would have to declare.
    """
    if not declared(capabilities):
        needed: dict[str, object] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        raise RpcError(MISSING_CAPABILITY, "this is for clients that know of tasks", needed)


def _told(task: _Task) -> dict[str, object]:
    return {
        "taskId": task.id,
        "status": task.status,
        "createdAt": task.created_at,
        "lastUpdatedAt": task.changed_at,
        "ttlMs": KEPT_S * 1000,
        "pollIntervalMs": POLL_MS,
    }
