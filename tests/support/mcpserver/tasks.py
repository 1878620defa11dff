"""The tasks extension: calls that go on by themselves while the client looks in."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, RequestParams

from tests.support.mcpserver.asking import MISSING_CAPABILITY, Asked, Turn
from tests.support.mcpserver.things import Json

EXTENSION = "io.modelcontextprotocol/tasks"
HEADER_MISMATCH = -32020
KEPT_MS = 60_000
TASKS_MAX = 1_000

Context = ServerRequestContext[Any, Any]
Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class TaskParams(RequestParams):
    """What says which task."""

    task_id: str
    input_responses: dict[str, Any] | None = None


class Task:
    """A call that goes on."""

    def __init__(self) -> None:
        self.id = uuid4().hex
        self.status = "working"
        self.began = self.changed = _now()
        self.outcome: Json = {}
        self.questions: Json = {}
        self.answers: Json = {}
        self.answered = asyncio.Event()
        self.work: asyncio.Task[None] | None = None

    def become(self, status: str, **outcome: object) -> None:
        if self.status not in ("completed", "failed", "cancelled"):
            self.status, self.changed, self.outcome = status, _now(), outcome

    def told(self) -> Json:
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.began,
            "lastUpdatedAt": self.changed,
            "ttlMs": KEPT_MS,
            "pollIntervalMs": 100,
        }

    async def ask(self, requests: Json) -> Json:
        """Wait until all of this is answered."""
        while missing := {key: each for key, each in requests.items() if key not in self.answers}:
            self.questions = missing
            self.become("input_required")
            self.answered.clear()
            await self.answered.wait()
        self.questions = {}
        self.become("working")
        return {key: self.answers[key] for key in requests}


class Tasks:
    """All that go on, and the newest of those that did."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def begin(self, turn: Turn, work: Callable[[Turn], Awaitable[Json]]) -> Json:
        """Start it; what the call is answered with."""
        task = Task()
        self._tasks[task.id] = task
        while len(self._tasks) > TASKS_MAX:
            self._tasks.popitem(last=False)
        task.work = self._start(_carry_out(task, turn, work))
        return {"resultType": "task", **task.told()}

    async def get(self, ctx: Context, params: TaskParams) -> Json:
        task = self._found(ctx, params)
        more = {"inputRequests": task.questions} if task.status == "input_required" else {}
        return {"resultType": "complete", **task.told(), **more, **task.outcome}

    async def update(self, ctx: Context, params: TaskParams) -> Json:
        task = self._found(ctx, params)
        given = params.input_responses or {}
        task.answers |= {key: value for key, value in given.items() if key in task.questions}
        task.questions = {key: v for key, v in task.questions.items() if key not in task.answers}
        task.answered.set()
        return {"resultType": "complete"}

    async def cancel(self, ctx: Context, params: TaskParams) -> Json:
        task = self._found(ctx, params)
        task.become("cancelled")
        if task.work is not None:
            task.work.cancel()
        return {"resultType": "complete"}

    def _found(self, ctx: Context, params: TaskParams) -> Task:
        require(ctx)
        if ctx.request is not None and ctx.request.headers.get("mcp-name") != params.task_id:
            raise MCPError(HEADER_MISMATCH, "Mcp-Name is not the id of the task")
        if params.task_id not in self._tasks:
            raise MCPError(INVALID_PARAMS, f"there is no task {params.task_id}")
        return self._tasks[params.task_id]


def require(ctx: Context) -> None:
    """Refuse a client that does not know of tasks."""
    capabilities = ctx.session.client_capabilities
    if not (capabilities and capabilities.extensions and EXTENSION in capabilities.extensions):
        missing = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(MISSING_CAPABILITY, f"needs a client with {EXTENSION}", missing)


class Away(Turn):
    """A turn whose questions are put to the task's client."""

    def __init__(self, turn: Turn, task: Task) -> None:
        super().__init__(turn.ctx, turn.params)
        self._task = task

    async def ask(self, requests: dict[str, Json], *, stateful: bool = False) -> Json:
        try:
            return await super().ask(requests, stateful=stateful)
        except Asked:
            return await self._task.ask(requests)


async def _carry_out(task: Task, turn: Turn, work: Callable[[Turn], Awaitable[Json]]) -> None:
    try:
        result = await work(Away(turn, task))
    except asyncio.CancelledError:
        task.become("cancelled")
        raise
    except MCPError as error:
        task.become("failed", error={"code": error.error.code, "message": error.error.message})
    except (ValueError, KeyError, TypeError) as error:
        task.become("failed", error={"code": INTERNAL_ERROR, "message": json.dumps(str(error))})
    else:
        task.become("completed", result=result)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
