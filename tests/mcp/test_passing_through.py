"""What passes between an agent and a server beside the answer, whichever era each speaks."""

import asyncio

import pytest
from mcp.types import ElicitResult

from tests.mcp.conftest import events, request
from tests.support.hub import until

pytestmark = pytest.mark.slow

ASKABLE = {"elicitation": {}}
REPLY = {"action": "accept", "content": {"name": "Ada"}}


@pytest.fixture
async def echo(serving, behind):
    """A server of either era."""
    return await serving("echo", behind)


async def test_a_server_asks_the_one_who_speaks_to_the_agent(echo, agent):
    asked = []

    async def elicit(context, params):
        asked.append(params.message)
        return ElicitResult(action="accept", content={"name": "Ada"})

    async with agent("/mcp/all", elicitation_callback=elicit) as client:
        answer = await client.call_tool("ask", {})
    assert asked == ["Who?"]
    assert answer.content[0].text == "accept {'name': 'Ada'}"


async def test_a_tool_that_was_found_asks_as_well(echo, agent):
    async def elicit(context, params):
        return ElicitResult(action="decline")

    async with agent(elicitation_callback=elicit) as client:
        answer = await client.call_tool("call_tool", {"name": "echo.ask"})
    assert answer.content[0].text.startswith("decline")


async def test_how_far_it_is_comes_before_the_answer(echo, agent):
    heard = []

    async def progress(done, total, message):
        heard.append((done, total))

    async with agent("/mcp/all") as client:
        answer = await client.call_tool("progress", {}, progress_callback=progress)
    assert (heard, answer.content[0].text) == ([(1, 3), (2, 3), (3, 3)], "done")


async def test_what_a_server_logs_is_heard_by_who_wants_it(echo, agent):
    heard = asyncio.Queue()
    async with agent("/mcp/all", logging_callback=heard.put, log_level="info") as client:
        await client.call_tool("log", {})
        async with asyncio.timeout(5):
            assert (await heard.get()).data == "a line"


async def test_what_is_not_loud_enough_is_not_heard(serving, wire):
    await serving("echo")
    client = wire()
    await client.shake()
    await client.ask("logging/setLevel", {"level": "error"})
    answer = await client.ask("tools/call", {"name": "log"})
    assert answer.json()["result"]["content"][0]["text"] == "logged"


async def test_an_error_of_a_server_is_the_answer(echo, wire):
    client = wire()
    answers = [
        await client.ask("tools/call", {"name": "fail", "arguments": {}}),
        await client.modern("tools/call", {"name": "fail", "arguments": {}}),
    ]
    assert [answer.json()["error"]["code"] for answer in answers] == [-32602, -32602]
    assert [answer.status_code for answer in answers] == [200, 400]


async def test_what_keys_of_one_hop_say_is_not_passed_on(serving, wire):
    await serving("echo", "modern")
    answer = await wire().modern("tools/call", {"name": "echo", "arguments": {"text": "a"}})
    result = answer.json()["result"]
    assert result["resultType"] == "complete"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "hubbub"


# An agent of the newer revision and a server that waits for its answer.


@pytest.fixture
async def parked(serving, wire):
    """The answer that asks, and who asks again."""
    await serving("echo")
    client = wire()

    async def again(state, reply=REPLY, name="ask", key="input_1", **more):
        given = {"name": name, "arguments": {}, "requestState": state}
        return await client.modern(
            "tools/call", {**given, "inputResponses": {key: reply}}, ASKABLE, **more
        )

    first = await client.modern("tools/call", {"name": "ask", "arguments": {}}, ASKABLE)
    return first.json()["result"], again


async def test_a_call_waits_until_its_caller_comes_back(hub, parked):
    asked, again = parked
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["input_1"]["method"] == "elicitation/create"
    assert len(hub.house.router.calls) == 1
    answer = (await again(asked["requestState"])).json()["result"]
    assert answer["content"] == [{"type": "text", "text": "accept {'name': 'Ada'}"}]
    assert len(hub.house.router.calls) == 0


@pytest.mark.parametrize("change", [lambda s: s + "x", lambda s: s[:-1], lambda s: "hubbub.e30.x"])
async def test_a_state_that_was_tampered_with_is_refused(parked, change):
    asked, again = parked
    refused = await again(change(asked["requestState"]))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    assert "result" in (await again(asked["requestState"])).json()


async def test_a_state_counts_once_and_for_what_it_was_given(parked):
    asked, again = parked
    elsewhere = await again(asked["requestState"], name="echo")
    await again(asked["requestState"])
    twice = await again(asked["requestState"])
    assert elsewhere.json()["error"]["code"] == twice.json()["error"]["code"] == -32602


async def test_a_state_is_nobody_elses(hub, parked):
    asked, again = parked
    key = await hub.key_with()
    other = await again(asked["requestState"], Authorization=f"Bearer {key}")
    assert other.json()["error"]["code"] == -32602


async def test_a_foreign_state_is_not_taken_for_a_new_call(parked):
    _, again = parked
    assert (await again("s1")).json()["error"]["code"] == -32602


async def test_who_answers_something_else_is_asked_again(hub, parked):
    asked, again = parked
    second = (await again(asked["requestState"], key="other")).json()["result"]
    assert second["inputRequests"] == asked["inputRequests"]
    assert (await again(second["requestState"])).json()["result"]["resultType"] == "complete"


async def test_an_answer_that_is_none_ends_the_call(hub, parked):
    asked, again = parked
    refused = await again(asked["requestState"], reply=12345)
    assert refused.json()["error"]["code"] == -32602
    assert len(hub.house.router.calls) == 0


# An agent that shook hands.


async def test_a_question_comes_on_the_stream_of_the_request_that_caused_it(serving, wire):
    await serving("echo", "modern")
    client = wire()
    await client.shake(ASKABLE)
    params = {"name": "ask", "arguments": {}}
    head = {"Mcp-Session-Id": client.session}
    body = request("tools/call", params)
    async with client.http.stream("POST", "/mcp/all", json=body, headers=head) as stream:
        lines = stream.aiter_lines()
        (question,) = events(await _event(lines))
        assert question["method"] == "elicitation/create"
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": REPLY}
        assert (await client.post(reply)).status_code == 202
        (answer,) = events(await _event(lines))
    assert answer["result"]["content"][0]["text"] == "accept {'name': 'Ada'}"


async def _event(lines):
    async with asyncio.timeout(5):
        async for line in lines:
            if line.startswith("data:"):
                return line
    raise AssertionError("no event")


async def test_a_call_that_is_cancelled_ends_at_its_server(hub, serving, wire):
    await serving("echo")
    client = wire()
    await client.shake()
    waiting = asyncio.create_task(client.ask("tools/call", {"name": "wait"}, id=7))

    async def running():
        return list(hub.house.router.calls)

    await until(running, bool)
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    assert (await client.post(note)).status_code == 202
    answer = (await waiting).json()["result"]
    assert answer["structuredContent"]["error"]["code"] == "ABORTED"
    assert await until(running, lambda found: not found) == []
