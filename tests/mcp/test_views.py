"""What agents are shown: a few tools that find the others, all of them, or a chosen set."""

import asyncio

import pytest

from tests.support.peer import spec

pytestmark = pytest.mark.slow

SCHEMA = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/point"}},
    "$defs": {"point": {"$anchor": "p", "type": "object", "x-odd": [1, {"a": None}]}},
}
ODD = {
    "name": "odd",
    "title": "Odd",
    "description": "Untouched",
    "inputSchema": SCHEMA,
    "annotations": {"destructiveHint": False},
    "_meta": {"example.org/x": 1},
}


async def names(client):
    return [tool.name for tool in (await client.list_tools()).tools]


async def test_all_tools_are_shown_under_names_of_their_own(hub, agent, serving):
    await serving("box")
    await hub.spoke("laptop", spec("dev.fs", "read"))
    async with agent("/mcp/all") as client:
        found = await names(client)
        said = await client.call_tool("echo", {"text": "hello"})
    assert {"echo", "add.numbers", "dev_fs_read", "account_me"} <= set(found)
    assert found == sorted(found)
    assert said.structured_content == {"said": "hello"}


async def test_tools_of_the_same_name_say_whose_they_are_and_are_told_apart(agent, serving):
    await serving("one")
    await serving("two", "modern")
    async with agent("/mcp/all") as client:
        found = await names(client)
        assert {"one__echo", "two__echo"} <= set(found) and "echo" not in found
        said = await client.call_tool("two__add.numbers", {"n": 1})
    assert said.content[0].text == "2"


async def test_the_name_that_says_whose_it_is_can_be_called_at_any_time(agent, serving):
    await serving("one")
    async with agent("/mcp/all") as client:
        said = await client.call_tool("one__echo", {"text": "a"})
    assert said.structured_content == {"said": "a"}


async def test_a_tool_is_shown_as_its_server_has_it(wire, serving):
    await serving("box", tools=[ODD])
    answer = await wire().ask("tools/list")
    (found,) = [tool for tool in answer.json()["result"]["tools"] if tool["name"] == "odd"]
    assert found == ODD


async def test_a_profile_shows_what_it_chooses_and_nothing_else(hub, agent, serving):
    await serving("box")
    await hub.door()("profile.create", name="few", servers=["box"], tools=["echo", "add*"])
    async with agent("/mcp/profiles/few") as client:
        assert await names(client) == ["add.numbers", "echo"]
        refused = await error_of(client.call_tool("log", {}))
    assert refused.code == -32602


async def test_a_profile_may_be_searched(hub, agent, serving):
    await serving("box")
    call = hub.door()
    await call("profile.create", name="some", servers=["box"], mode="search", pinned=["echo"])
    async with agent("/mcp/profiles/some") as client:
        assert [name for name in await names(client) if "tool" not in name] == [
            "read_result",
            "echo",
        ]
        found = await client.call_tool("find_tool", {"queries": "account"})
        hidden = await client.call_tool("call_tool", {"name": "account.me"})
        listed = await client.call_tool("list_tools", {})
    assert found.structured_content["results"][0]["tools"] == []
    assert hidden.structured_content["error"]["code"] == "OPERATION_NOT_FOUND"
    assert {t["name"].split(".")[0] for t in listed.structured_content["tools"]} == {"box"}


async def test_nobody_sees_what_they_may_not_call(hub, agent, serving):
    await serving("box", access={"requiredScopes": ["box:use"]})
    outside, inside = await hub.key_with(), await hub.key_with("box:use")
    async with agent("/mcp/all", outside) as client:
        assert "echo" not in await names(client)
        assert (await error_of(client.call_tool("echo", {"text": "a"}))).code == -32602
    async with agent("/mcp/all", inside) as client:
        assert "echo" in await names(client)


async def test_there_is_no_profile_that_nobody_made(wire):
    assert (await wire("/mcp/profiles/none").ask("tools/list")).status_code == 404


async def test_all_tools_come_page_by_page(hub, wire):
    await hub.spoke("many", *(spec("dev.x", f"t{n}") for n in range(1100)))
    client = wire()
    first = (await client.ask("tools/list")).json()["result"]
    rest = (await client.ask("tools/list", {"cursor": first["nextCursor"]})).json()["result"]
    found = [tool["name"] for tool in (*first["tools"], *rest["tools"])]
    assert len(first["tools"]) == 1000 and "nextCursor" not in rest
    assert found == sorted(set(found))


async def test_what_is_offered_anew_is_told(agent, serving):
    await serving("box")
    heard = asyncio.Event()

    async def note(message):
        if "ToolListChanged" in type(message).__name__:
            heard.set()

    async with agent("/mcp/all", message_handler=note) as client:
        listening = asyncio.ensure_future(_listened(client, heard))
        await asyncio.sleep(0)
        for _ in range(50):  # the stream on which it is told opens by itself, some time
            await client.call_tool("grow", {})
            try:
                await asyncio.wait_for(heard.wait(), 0.2)
                break
            except TimeoutError:
                continue
        listening.cancel()
    assert heard.is_set()


async def _listened(client, heard):
    """In the newer revision a client hears of changes when it asks to."""
    if client.protocol_version < "2026":
        return
    async with client.listen(tools_list_changed=True) as changes:
        async for _ in changes:
            heard.set()


async def error_of(awaitable):
    with pytest.raises(Exception) as caught:
        await awaitable
    return caught.value.error
