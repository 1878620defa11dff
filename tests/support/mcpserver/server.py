"""The server itself: what is asked of it, and who answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.support.mcpserver import tasks, things
from tests.support.mcpserver.asking import Asked, Turn, elicitation
from tests.support.mcpserver.questions import ASKING
from tests.support.mcpserver.things import Json, text
from tests.support.mcpserver.tools import PLAIN, STRING, Tool, said

NAME = "hubbub-fixture"
RESOURCE_NOT_FOUND = -32002
CHANGES = NotificationOptions(tools_changed=True, prompts_changed=True, resources_changed=True)
CACHED = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)

Context = ServerRequestContext[Any, Any]


class Fixture:
    """What the server remembers."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.touched = 0
        self.more_tools = self.more_prompts = False
        """Whether there is one more of them."""
        self._subscribed: dict[str, set[Any]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.tasks = tasks.Tasks(self.start)
        self.tools: dict[str, Tool] = {
            **PLAIN,
            **ASKING,
            "test_touch_resource": Tool(description="Changes a resource", use=self.touch),
            "test_trigger_tool_change": Tool(description="Changes tools", use=self.change_tools),
            "test_trigger_prompt_change": Tool(
                description="Changes prompts", use=self.change_prompts
            ),
        }

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have it done beside all else; it ends with the server at the latest."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    @asynccontextmanager
    async def lifespan(self, server: Server[Any]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for task in list(self._running):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def touch(self, turn: Turn, arguments: Json) -> Json:
        self.touched += 1
        await self._tell(turn, ResourceUpdated(uri=things.WATCHED))
        for session in list(self._subscribed.get(things.WATCHED, ())):
            await session.send_resource_updated(things.WATCHED)
        return said(text("touched"))

    async def change_tools(self, turn: Turn, arguments: Json) -> Json:
        self.more_tools = not self.more_tools
        await self._tell(turn, ToolsListChanged())
        if not turn.modern:
            await turn.ctx.session.send_tool_list_changed()
        return said(text("changed"))

    async def change_prompts(self, turn: Turn, arguments: Json) -> Json:
        self.more_prompts = not self.more_prompts
        await self._tell(turn, PromptsListChanged())
        if not turn.modern:
            await turn.ctx.session.send_prompt_list_changed()
        return said(text("changed"))

    async def _tell(self, turn: Turn, event: ServerEvent) -> None:
        await self.bus.publish(event)

    # What clients ask for.

    async def list_tools(self, ctx: Context, params: Any) -> Json:
        listed = [tool.listed(name) for name, tool in self.tools.items()]
        if self.more_tools:
            listed.append(PLAIN["echo"].listed("test_one_more_tool"))
        return {"tools": listed}

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Json:
        tool = self.tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
        turn = Turn(ctx, params)
        if tool.task and turn.modern and turn.extends(tasks.EXTENSION):
            return await self._go_on(turn, params.name, tool, params.arguments or {})
        if tool.task_only and turn.modern:
            tasks.require(ctx)
        try:
            return await tool.use(turn, params.arguments or {})
        except Asked as asked:
            return asked.result
        except MCPError as error:
            if turn.modern or error.error.code != -32021:
                raise
            # The older era has no code for it.
            return said(text(error.error.message), isError=True)

    async def _go_on(self, turn: Turn, name: str, tool: Tool, arguments: Json) -> Json:
        # One that asks before it begins is answered round by round like any other.
        if name == "test_tool_with_task":
            try:
                await turn.ask({"user_name": ASK_NAME})
            except Asked as asked:
                return asked.result
        return self.tasks.begin(turn, lambda away: tool.use(away, arguments))

    async def list_prompts(self, ctx: Context, params: Any) -> Json:
        more = [{"name": "test_one_more_prompt", "description": "New"}] if self.more_prompts else []
        return {"prompts": [*things.PROMPTS, *more]}

    async def get_prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> Json:
        if params.name == "test_input_required_result_prompt":
            asked = elicitation(
                "What context should the prompt use?", {"context": STRING}, "context"
            )
            try:
                answer = (await Turn(ctx, params).ask({"user_context": asked}))["user_context"]
            except Asked as asked_first:
                return asked_first.result
            context = (answer.get("content") or {}).get("context")
            return {"messages": [{"role": "user", "content": text(f"Context: {context}")}]}
        found = things.prompt(params.name, params.arguments or {})
        if found is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
        return {"messages": [{"role": "user", "content": each} for each in found]}

    async def list_resources(self, ctx: Context, params: Any) -> Json:
        return {"resources": things.RESOURCES}

    async def list_templates(self, ctx: Context, params: Any) -> Json:
        return {"resourceTemplates": things.TEMPLATES}

    async def read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> Json:
        found = things.contents(params.uri, self.touched)
        if found is None:
            modern = Turn(ctx, params).modern
            code = types.INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
            raise MCPError(code, "Resource not found", {"uri": params.uri})
        return {"contents": [found]}

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> Json:
        self._subscribed.setdefault(params.uri, set()).add(ctx.session)
        return {}

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> Json:
        self._subscribed.pop(params.uri, None)
        return {}

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> Json:
        values = things.completions(params.argument.name, params.argument.value)
        return {"completion": {"values": values, "total": len(values), "hasMore": False}}

    async def set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> Json:
        return {}


def typed(handler: Callable[[Context, Any], Awaitable[Json]]) -> Callable[..., Awaitable[Json]]:
    """Say of what type the result is, which the newer era wants to know."""

    async def handle(ctx: Context, params: Any) -> Json:
        result = await handler(ctx, params)
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        return {"resultType": "complete", **result} if modern else result

    return handle


ASK_NAME = elicitation("What is your name?", {"name": STRING}, "name")


def server() -> Server[Any]:
    """A new server, which remembers nothing."""
    fixture = Fixture()
    hint = CacheHint(ttl_ms=1_000, scope="public")
    options: dict[str, Callable[..., Any]] = {
        "on_list_tools": typed(fixture.list_tools),
        "on_call_tool": typed(fixture.call_tool),
        "on_list_prompts": typed(fixture.list_prompts),
        "on_get_prompt": typed(fixture.get_prompt),
        "on_list_resources": typed(fixture.list_resources),
        "on_list_resource_templates": typed(fixture.list_templates),
        "on_read_resource": typed(fixture.read_resource),
        "on_subscribe_resource": fixture.subscribe,
        "on_unsubscribe_resource": fixture.unsubscribe,
        "on_subscriptions_listen": ListenHandler(fixture.bus),
        "on_completion": typed(fixture.complete),
        "on_set_logging_level": fixture.set_level,
    }
    made: Server[Any] = Server(
        NAME,
        version="1",
        instructions="Everything that MCP has.",
        cache_hints={method: hint for method in CACHED},
        lifespan=fixture.lifespan,
        **options,
    )
    made.extensions = {tasks.EXTENSION: {}}
    made.middleware.append(
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME)
    )
    for name in ("get", "update", "cancel"):
        made.add_request_handler(f"tasks/{name}", tasks.TaskParams, getattr(fixture.tasks, name))
    return made
