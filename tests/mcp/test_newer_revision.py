"""What the newer revision asks of a server."""

import asyncio

import pytest

from hubbub.protocol.mcp import CAPABILITIES_KEY, VERSION_KEY
from tests.mcp.conftest import events, framed

pytestmark = pytest.mark.slow

REMOVED = ("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")


@pytest.mark.parametrize("key", [VERSION_KEY, CAPABILITIES_KEY])
async def test_what_a_request_must_say_is_missed(wire, key):
    body, headers = framed("server/discover")
    del body["params"]["_meta"][key]
    answer = await wire().post(body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
    assert key in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"MCP-Protocol-Version": "2025-11-25"},
        {"Mcp-Method": "tools/list"},
        {"Mcp-Name": "other"},
        {"Mcp-Name": ""},
    ],
)
async def test_headers_that_say_something_else_are_refused(wire, headers):
    body, own = framed("tools/call", {"name": "account_me", "arguments": {}})
    answer = await wire().post(body, **{**own, **headers})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert answer.json()["id"] == 1


async def test_a_header_may_say_in_base64_what_it_cannot_hold(wire):
    body, own = framed("tools/call", {"name": "é", "arguments": {}}, None)
    headers = {**own, "Mcp-Name": "=?base64?w6k=?="}
    assert (await wire().post(body, **headers)).json()["error"]["message"] == "there is no tool é"


async def test_a_revision_that_is_not_spoken_is_refused_with_those_that_are(wire):
    body, headers = framed("tools/list", {"_meta": {VERSION_KEY: "v999"}})
    answer = await wire().post(body, **{**headers, "MCP-Protocol-Version": "v999"})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": -32022,
        "message": "this revision is not spoken here",
        "data": {"supported": ["2026-07-28"], "requested": "v999"},
    }


@pytest.mark.parametrize("method", [*REMOVED, "no/such"])
async def test_what_it_does_not_have_is_not_found(wire, method):
    answer = await wire().modern(method)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize(
    "method",
    [
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
    ],
)
async def test_lists_say_how_long_they_keep_and_for_whom(wire, method):
    result = (await wire().modern(method)).json()["result"]
    assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
    assert result["ttlMs"] >= 0


async def test_a_client_sends_no_responses(wire):
    body = {"jsonrpc": "2.0", "id": 1, "result": {}}
    answer = await wire().post(body, **{"MCP-Protocol-Version": "2026-07-28"})
    assert answer.status_code == 400


async def test_a_stream_begins_with_what_was_agreed_and_is_marked(wire):
    client = wire()
    wanted = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["x://none"]}}
    body, headers = framed("subscriptions/listen", wanted, id=9)
    async with client.http.stream("POST", client.path, json=body, headers=headers) as stream:
        assert stream.headers["x-accel-buffering"] == "no"
        async with asyncio.timeout(5):
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    break
    (first,) = events(line)
    assert first == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "notifications": {"toolsListChanged": True},
            "_meta": {"io.modelcontextprotocol/subscriptionId": 9},
        },
    }


async def test_a_stream_that_is_left_leaves_nothing_behind(hub, wire):
    client = wire()
    body, headers = framed("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    for _ in range(3):
        async with client.http.stream("POST", client.path, json=body, headers=headers) as stream:
            await anext(stream.aiter_text())
    assert (await client.modern("tools/list")).status_code == 200
