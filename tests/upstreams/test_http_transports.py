"""MCP servers behind a URL, of every transport and era."""

import asyncio

import anyio
import msgspec
import pytest
from msgspec import Raw

from hubbub.calls.model import Ask
from hubbub.kernel.errors import HubError
from tests.support.hub import until
from tests.support.upstream import fixture_server
from tests.upstreams.test_mcp_servers import connected

pytestmark = pytest.mark.slow


KINDS = {
    "legacy": ("streamable-http", "legacy", "--era", "legacy"),
    "modern": ("streamable-http", "modern", "--era", "modern"),
    "both": ("streamable-http", "modern", "--era", "both"),
    "json": ("streamable-http", "legacy", "--era", "legacy", "--json"),
    "sse": ("sse", "legacy", "--sse"),
}


@pytest.fixture(params=list(KINDS))
async def remote(hub, request):
    """A caller, and a server that it has added under the name `remote`."""
    transport, era, *options = KINDS[request.param]
    async with fixture_server(*options) as url:
        call = hub.door()
        config = {"transport": transport, "url": url}
        await call("client.create", name="remote", type="mcp-server", config=config)
        assert (await connected(call, "remote"))["era"] == era
        yield call
        await call("client.remove", client="remote")


async def test_a_tool_behind_a_url_answers(remote):
    answer = await remote("remote.test_simple_text")
    assert answer[0]["type"] == "text"


async def asked(hub, operation, input, aside=None):
    """What the provider `remote` answers."""
    caller = await hub.house.door.enter(hub.key, "127.0.0.1")
    ask = Ask(
        operation_id=operation,
        input=Raw(msgspec.json.encode(input)),
        provider="remote" if operation.startswith("mcp.") else None,
        aside=aside,
    )
    with anyio.fail_after(10):
        async with hub.house.calls.opened(ask, caller) as (_, answers):
            async for answer in answers:
                return msgspec.json.decode(answer)


async def test_what_a_server_has_besides_tools_can_be_asked_for(hub, remote):
    listed = (await asked(hub, "mcp.listResources", {}))["data"]["resources"]
    read = (await asked(hub, "mcp.readResource", {"uri": listed[0]["uri"]}))["data"]
    assert read["contents"][0]["uri"] == listed[0]["uri"]
    prompts = (await asked(hub, "mcp.listPrompts", {}))["data"]["prompts"]
    got = (await asked(hub, "mcp.getPrompt", {"name": prompts[0]["name"]}))["data"]
    assert got["messages"]


class Person:
    """A caller that speaks MCP and answers what it is asked."""

    meta = {}
    capabilities = {"elicitation": {"form": {}}, "sampling": {}}
    log_level = "debug"
    resumed = {}
    takes_input_required = False

    def __init__(self):
        self.asked_for = []
        self.told = []

    def noted(self, method, params):
        self.told.append(method)

    async def asked(self, method, params):
        self.asked_for.append(method)
        return Raw(b'{"action":"accept","content":{"name":"Ada","username":"ada","email":"a@b.c"}}')


@pytest.mark.parametrize("remote", sorted(set(KINDS) - {"json"}), indirect=True)
async def test_a_server_that_asks_in_the_middle_of_a_call_is_answered_by_the_caller(hub, remote):
    person = Person()
    tools = {tool.name for server in hub.house.connections.all() for tool in server.tools}
    wanted = ("test_elicitation", "test_input_required_result_elicitation")
    name = next(name for name in wanted if name in tools)
    answer = await asked(hub, f"remote.{name}", {"message": "Who?"}, person)
    assert person.asked_for == ["elicitation/create"]
    assert answer["meta"]["isError"] is False


async def test_a_subscription_tells_of_changes(hub, remote):
    async def follow():
        return await asked(hub, "mcp.subscribe", {"uri": "test://watched-resource"})

    following = asyncio.create_task(follow())
    await until(lambda: remote("remote.test_touch_resource"), lambda _: following.done())
    assert (await following)["data"]["method"] == "notifications/resources/updated"


async def test_a_session_that_a_server_has_forgotten_is_made_anew(hub):
    call = hub.door()
    async with fixture_server("--era", "legacy") as url:
        config = {"transport": "streamable-http", "url": url}
        await call("client.create", name="remote", type="mcp-server", config=config)
        await connected(call, "remote")
        assert await call("remote.test_simple_text")
    port = url.rpartition(":")[2].partition("/")[0]
    async with fixture_server("--era", "legacy", "--port", port):
        assert await until(lambda: _answered(call), bool)


async def _answered(call):
    try:
        return await call("remote.test_simple_text")
    except HubError:
        return None  # nobody listens there yet
