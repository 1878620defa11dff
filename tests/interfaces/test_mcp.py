"""Agents over MCP, with the official client of both eras, and by hand where it is too polite."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from hubbub.protocol.mcp import CAPABILITIES_KEY, VERSION_KEY
from tests.support.peer import spec

PATHS = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
}


@pytest.fixture(params=["legacy", "auto"])
def agent(hub, request):
    """The official client, of either era, as somebody with this key."""

    @asynccontextmanager
    async def connected(key=None):
        headers = {"Authorization": f"Bearer {key or hub.key}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(
                streamable_http_client(f"{hub.url}/mcp", http_client=http), mode=request.param
            ) as client,
        ):
            yield client

    return connected


@pytest.fixture
async def post(hub):
    """A message as it stands."""
    headers = {"Authorization": f"Bearer {hub.key}", "Accept": "application/json"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:

        async def sent(body, **more):
            kind = {"content": body} if isinstance(body, bytes) else {"json": body}
            return await client.post("/mcp", headers=more, **kind)

        yield sent


async def test_an_agent_sees_a_few_tools_and_what_stands_behind_them(hub, agent):
    await hub.spoke("laptop", spec("dev.fs", "read"))
    async with agent() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [
        *("find_tool", "describe_tool", "call_tool", "list_tools", "read_result"),
        *("search_registry", "install_server"),
    ]
    assert "dev.fs" in tools["find_tool"].description


async def test_a_tool_is_found_by_what_it_does_and_called_by_its_name(hub, agent):
    spoke = await hub.spoke(
        "laptop", spec("dev.fs", "read", description="The text of a file", inputSchema=PATHS)
    )
    async with agent() as client:
        found = await client.call_tool("find_tool", {"queries": "text of a file", "limit": 1})
        (tool,) = found.structured_content["results"][0]["tools"]
        assert tool["arguments"] == "path: string, limit?: integer = 10"
        wanted = {"name": tool["name"], "arguments": {"path": "a"}}
        asking = asyncio.create_task(client.call_tool("call_tool", wanted))
        asked = await spoke.asked()
        assert asked["input"] == {"path": "a"}
        await spoke.answer(asked, {"text": "hello"})
        answer = await asking
    assert (answer.structured_content, answer.is_error) == ({"text": "hello"}, False)


async def test_several_queries_are_answered_one_by_one_and_never_without_a_reason(agent):
    async with agent() as client:
        found = await client.call_tool(
            "find_tool", {"queries": ["calls that failed", "zzz qqq"], "detail": "full"}
        )
    first, second = found.structured_content["results"]
    assert first["tools"] and "inputSchema" in first["tools"][0]
    assert second["tools"] == [] and "list_tools" in second["hint"]


async def test_what_goes_wrong_is_told_so_that_an_agent_can_mend_it(hub, agent):
    await hub.spoke("laptop", spec("dev.fs", "read", inputSchema=PATHS))
    async with agent() as client:
        refused = await client.call_tool("call_tool", {"name": "dev.fs.read"})
    error = refused.structured_content["error"]
    assert (refused.is_error, error["code"]) == (True, "VALIDATION_ERROR")
    assert "path" in refused.content[0].text


async def test_an_agent_finds_and_calls_only_what_its_key_may(hub, agent):
    key = await hub.key_with("calls:read")
    async with agent(key) as client:
        found = await client.call_tool("find_tool", {"queries": "make an account"})
        denied = await client.call_tool("call_tool", {"name": "account.create"})
        unseen = await client.call_tool("describe_tool", {"name": "account.create"})
    names = [tool["name"] for tool in found.structured_content["results"][0]["tools"]]
    assert "account.create" not in names
    assert denied.structured_content["error"]["code"] == "ACCESS_DENIED"
    assert unseen.structured_content["error"]["code"] == "OPERATION_NOT_FOUND"


async def test_progress_comes_before_the_answer(hub, agent):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    heard = []

    async def progress(done, total, message):
        heard.append((done, total, message))

    async with agent() as client:
        wanted = {"name": "dev.fs.read", "arguments": {}}
        asking = asyncio.create_task(
            client.call_tool("call_tool", wanted, progress_callback=progress)
        )
        asked = await spoke.asked()
        await spoke.send(
            "call.progress", requestId=asked["requestId"], progress=1, total=2, message="half"
        )
        await spoke.answer(asked, "done")
        answer = await asking
    assert (heard, answer.content[0].text) == ([(1, 2, "half")], "done")


async def test_a_call_whose_client_has_gone_is_stopped(hub, post):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    params = {"name": "call_tool", "arguments": {"name": "dev.fs.read"}}
    asking = asyncio.create_task(post(request("tools/call", params)))
    asked = await spoke.asked()
    asking.cancel()
    await asyncio.wait([asking])
    assert (await spoke.stopped())["requestId"] == asked["requestId"]


async def test_whose_client_has_gone_takes_no_other_with_it(hub, post):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    call = request("tools/call", {"name": "call_tool", "arguments": {"name": "dev.fs.read"}})
    leaving = asyncio.create_task(post(call))
    left = await spoke.asked()
    staying = asyncio.create_task(post(call))
    stayed = await spoke.asked()
    leaving.cancel()
    assert (await spoke.stopped())["requestId"] == left["requestId"]
    await spoke.answer(stayed, "done")
    assert (await staying).json()["result"]["content"] == [{"type": "text", "text": "done"}]


async def test_a_call_ends_with_the_key_that_it_was_asked_for_with(hub, post):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    owner = hub.door()
    made = await owner("apiKey.create")
    call = request("tools/call", {"name": "call_tool", "arguments": {"name": "dev.fs.read"}})
    asking = asyncio.create_task(post(call, Authorization=f"Bearer {made['secret']}"))
    asked = await spoke.asked()
    await owner("apiKey.revoke", id=made["key"]["id"])
    assert (await spoke.stopped())["requestId"] == asked["requestId"]
    answer = (await asking).json()["result"]
    assert answer["structuredContent"]["error"]["code"] == "ABORTED"


async def test_whoever_leaves_in_the_middle_of_the_progress_stops_the_call(hub):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    headers = {"Authorization": f"Bearer {hub.key}", "Accept": "text/event-stream"}
    params = {"name": "call_tool", "arguments": {"name": "dev.fs.read"}}
    call = request("tools/call", {**params, "_meta": {"progressToken": 1}})

    async def halfway():
        asked = await spoke.asked()
        await spoke.send("call.progress", requestId=asked["requestId"], progress=1)
        return asked

    going = asyncio.create_task(halfway())
    async with (
        httpx2.AsyncClient(base_url=hub.url, headers=headers) as client,
        client.stream("POST", "/mcp", json=call) as answer,
    ):
        assert "notifications/progress" in await anext(answer.aiter_text())
    assert (await spoke.stopped())["requestId"] == (await going)["requestId"]


async def test_a_session_cancels_its_own_call_and_no_other(hub, post):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    params = {"name": "call_tool", "arguments": {"name": "dev.fs.read"}}
    mine, other = [{"Mcp-Session-Id": await shaken(post)} for _ in range(2)]
    asking = asyncio.create_task(post(request("tools/call", params), **mine))
    asked = await spoke.asked()
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await post(cancelled, **other)).status_code == 202
    assert (await post(cancelled, **mine)).status_code == 202
    assert (await spoke.stopped())["requestId"] == asked["requestId"]
    answer = (await asking).json()["result"]
    assert answer["structuredContent"]["error"]["code"] == "ABORTED"


async def test_without_a_key_an_agent_is_told_where_to_learn_more(hub):
    async with httpx2.AsyncClient(base_url=hub.url) as client:
        refused = await client.post("/mcp", json=request("ping"))
        told = await client.get("/.well-known/oauth-protected-resource/mcp")
    assert refused.status_code == 401
    assert "/.well-known/oauth-protected-resource" in refused.headers["WWW-Authenticate"]
    assert told.json() == {"resource": f"{hub.url}/mcp", "bearer_methods_supported": ["header"]}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, -32700),
        (b"[]", {}, 400, -32600),
        (b'{"jsonrpc": "1.0", "method": "ping", "id": 1}', {}, 400, -32600),
        ({"method": "no/such"}, {}, 200, -32601),
        ({"method": "no/such", "modern": True}, {}, 404, -32601),
        ({"method": "ping", "modern": True}, {}, 404, -32601),
        ({"method": "tools/list", "modern": True}, {"Mcp-Method": "other"}, 400, -32020),
        ({"method": "tools/list", "modern": "2099-01-01"}, {}, 400, -32022),
        ({"method": "tools/call", "params": {"name": "none"}}, {}, 200, -32602),
        ({"method": "tools/call", "params": {"name": ["call_tool"]}}, {}, 200, -32602),
        (b'{"params": {"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}", {}, 400, -32700),
    ],
)
async def test_a_message_that_is_wrong_is_answered_with_what_is_wrong(
    post, body, headers, status, code
):
    if isinstance(body, dict):
        body, own = framed(**body)
        headers = {**own, **headers}
    answer = await post(body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_without_a_session_the_endpoint_takes_posts_only(hub):
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:
        answers = [await client.request(method, "/mcp") for method in ("GET", "DELETE")]
    assert [answer.status_code for answer in answers] == [405, 405]


def request(method, params=None):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}


def framed(method, modern=False, params=None):
    """A request of either era, and the headers that go with it."""
    body = request(method, dict(params or {}))
    if not modern:
        return body, {}
    version = "2026-07-28" if modern is True else modern
    body["params"]["_meta"] = {VERSION_KEY: version, CAPABILITIES_KEY: {}}
    return body, {"MCP-Protocol-Version": version, "Mcp-Method": method}


async def shaken(post):
    """The id of a new session."""
    greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}}
    return (await post(request("initialize", greeting))).headers["Mcp-Session-Id"]
