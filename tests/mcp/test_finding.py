"""The few tools that find the others."""

import pytest

from tests.support.peer import connected, spec

pytestmark = pytest.mark.slow


async def test_what_is_found_says_what_it_takes_and_what_it_saves(hub, agent):
    await hub.spoke("laptop", spec("dev.fs", "read", description="The text of a file"))
    async with agent() as client:
        found = (
            await client.call_tool("find_tool", {"queries": "text of a file"})
        ).structured_content
    tokens = found["tokens"]
    assert all(tokens[key] > 0 for key in ("thisAnswer", "theseTools", "allTools"))
    assert tokens["saved"] == tokens["allTools"] - tokens["theseTools"] - tokens["thisAnswer"]


async def test_keywords_help_to_find(hub, agent):
    await hub.spoke("laptop", spec("dev.fs", "zap", description="Frobnicates"))
    asked = {"queries": "do it", "keywords": ["frobnicates"]}
    async with agent() as client:
        found = (await client.call_tool("find_tool", asked)).structured_content
    names = [tool["name"] for tool in found["results"][0]["tools"]]
    assert any(name.endswith("zap") for name in names)


async def test_what_nobody_offers_now_is_not_found(hub, agent):
    async with connected(hub.url, hub.key) as spoke:
        await spoke.register("laptop", spec("dev.fs", "zap", description="Frobnicates"))
    async with agent() as client:
        found = (await client.call_tool("find_tool", {"queries": "frobnicates"})).structured_content
    names = [tool["name"] for tool in found["results"][0]["tools"]]
    assert not any(name.endswith("zap") for name in names)


async def test_all_tools_can_be_looked_through(agent):
    async with agent() as client:
        first = await client.call_tool("list_tools", {"namespace": "apiKey", "limit": 2})
        more = {"namespace": "apiKey", "cursor": first.structured_content["nextCursor"]}
        rest = await client.call_tool("list_tools", more)
    names = [tool["name"] for page in (first, rest) for tool in page.structured_content["tools"]]
    assert names == sorted(names) and names[0].startswith("apiKey.") and len(names) > 3
    assert "nextCursor" not in rest.structured_content


async def test_a_pinned_tool_is_shown_and_can_be_called(hub, agent):
    await hub.door()("profile.create", name="default", pinned=["account.me"])
    async with agent() as client:
        assert "account_me" in [tool.name for tool in (await client.list_tools()).tools]
        me = await client.call_tool("account_me", {})
    assert me.structured_content["status"] == "active"
