"""Sessions of clients that shook hands."""

import asyncio

import pytest

from hubbub.interfaces.mcp.sessions import ACCOUNT_SESSIONS_MAX
from tests.mcp.conftest import events


async def test_a_session_that_is_not_known_is_to_be_made_anew(wire):
    client = wire()
    client.session = "from before the hub was restarted"
    answer = await client.ask("tools/list")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32600)
    await client.shake()
    assert (await client.ask("ping")).json()["result"] == {}


async def test_a_session_ends_when_its_client_says_so(wire):
    client = wire()
    await client.shake()
    head = {"Mcp-Session-Id": client.session}
    assert (await client.http.delete(client.path, headers=head)).status_code == 204
    assert (await client.ask("ping")).status_code == 404
    assert (await client.http.delete(client.path, headers=head)).status_code == 404


async def test_a_session_is_nobody_elses_and_holds_at_one_address(hub, wire):
    client = wire()
    await client.shake()
    key = await hub.key_with()
    other = await client.ask("ping", Authorization=f"Bearer {key}")
    client.path = "/mcp"
    elsewhere = await client.ask("ping")
    assert (other.status_code, elsewhere.status_code) == (404, 404)


@pytest.mark.slow
async def test_sessions_that_nobody_ends_cost_little(hub, wire):
    client = wire()
    await client.shake()
    first = client.session
    for _ in range(1000):
        client.session = None
        await client.shake()
    assert len(hub.house.mcp.sessions) == 1001 < ACCOUNT_SESSIONS_MAX
    client.session = first
    assert (await client.ask("ping")).status_code == 200


async def test_a_session_ends_with_the_key_that_it_was_made_with(hub, wire):
    owner = hub.door()
    made = await owner("apiKey.create")
    client = wire()
    client.http.headers["Authorization"] = f"Bearer {made['secret']}"
    await client.shake()
    head = {"Mcp-Session-Id": client.session}
    async with client.http.stream("GET", client.path, headers=head) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["x-accel-buffering"] == "no"
        await owner("apiKey.revoke", id=made["key"]["id"])
        async with asyncio.timeout(5):
            assert events("".join([text async for text in stream.aiter_text()])) == []


async def test_who_waits_for_news_waits_once(wire):
    client = wire()
    await client.shake()
    head = {"Mcp-Session-Id": client.session}
    async with (
        client.http.stream("GET", client.path, headers=head) as first,
        client.http.stream("GET", client.path, headers=head),
        asyncio.timeout(5),
    ):
        assert [text async for text in first.aiter_text()] == []


async def test_a_greeting_in_a_revision_nobody_knows_is_answered_in_one_that_is(wire):
    client = wire()
    greeting = {"protocolVersion": "1999-01-01", "capabilities": {}, "clientInfo": {}}
    answer = await client.ask("initialize", greeting)
    assert answer.json()["result"]["protocolVersion"] == "2025-11-25"
