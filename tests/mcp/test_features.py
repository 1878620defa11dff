"""Resources, prompts and completion of servers behind the hub."""

import asyncio

import pytest

from tests.support.hub import until
from tests.support.upstream import fixture_server

WATCHED = "test://watched-resource"

pytestmark = pytest.mark.slow


@pytest.fixture
async def fixture(hub, behind):
    """A server of either era that has everything."""
    async with fixture_server("--era", behind) as url:
        call = hub.door()
        config = {"transport": "streamable-http", "url": url}
        await call("client.create", name="fixture", type="mcp-server", config=config)

        async def standing():
            return (await call("client.status", id="fixture"))["items"][0]

        await until(standing, lambda found: found["status"] == "connected")
        yield
        await call("client.remove", client="fixture")


async def test_what_servers_have_stands_side_by_side(fixture, agent):
    async with agent("/mcp/all") as client:
        resources = [str(each.uri) for each in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        prompts = [each.name for each in (await client.list_prompts()).prompts]
        read = await client.read_resource(resources[0])
        made = await client.read_resource("test://template/7/data")
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
    assert WATCHED in resources and templates and prompts == sorted(prompts)
    assert read.contents and "7" in made.contents[0].text and prompt.messages


@pytest.mark.filterwarnings("ignore:resources/subscribe is removed")
async def test_a_resource_that_changes_is_told_of(fixture, agent, era):
    heard = asyncio.Event()

    async def note(message):
        if "ResourceUpdated" in type(message).__name__:
            heard.set()

    async def listened(client):
        async with client.listen(resource_subscriptions=[WATCHED]) as changes:
            async for _ in changes:
                heard.set()

    async with agent("/mcp/all", message_handler=note) as client:
        listening = None
        if era == "legacy":
            await client.subscribe_resource(WATCHED)
        else:
            listening = asyncio.ensure_future(listened(client))

        async def told():
            await client.call_tool("test_touch_resource", {})
            await asyncio.wait([asyncio.ensure_future(heard.wait())], timeout=0.2)
            return heard.is_set()

        assert await until(told, bool)
        if listening is not None:
            listening.cancel()


async def test_a_resource_that_nobody_has_is_not_found(fixture, wire):
    client = wire()
    newer = await client.modern("resources/read", {"uri": "other://none"})
    older = await client.ask("resources/read", {"uri": "other://none"})
    assert newer.json()["error"]["code"] in (-32602, -32002)
    assert older.json()["error"]["code"] in (-32602, -32002)
    assert newer.json()["error"]["data"] == {"uri": "other://none"}
