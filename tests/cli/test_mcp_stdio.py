"""`hubbub mcp stdio`, between clients of others over pipes and servers over HTTP."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

from tests.cli.conftest import END_S, environment, serving
from tests.support.upstream import COMMAND, START_S

pytestmark = pytest.mark.slow

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key"
    file.write_text("hub_any")
    return file


@asynccontextmanager
async def server(port=0, *options):
    """The fixture server at a port, and its URL without the path."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--port", str(port), *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        yield line.decode().strip().removesuffix("/mcp")
    finally:
        process.kill()
        await process.wait()


@pytest.fixture(scope="module")
def fixture_url():
    """One server for all tests that do not end it."""

    async def begun():
        return await asyncio.create_subprocess_exec(*COMMAND, stdout=asyncio.subprocess.PIPE)

    with asyncio.Runner() as runner:
        process = runner.run(begun())
        line = runner.run(asyncio.wait_for(process.stdout.readline(), START_S))
        yield line.decode().strip().removesuffix("/mcp")
        process.kill()
        runner.run(process.wait())


@pytest.fixture
def words(tmp_path, key_file):
    """The command line of the bridge, and its environment."""

    def made(url, *more):
        command = [sys.executable, "-m", "hubbub", "--url", url, "--key-file", str(key_file)]
        return [*command, "mcp", "stdio", *more], environment(tmp_path)

    return made


@pytest.fixture(params=["legacy", "auto"])
def client(request, words):
    """The official client, of either era, speaking to the bridge."""

    def made(url, **callbacks):
        (program, *args), env = words(url)
        parameters = StdioServerParameters(command=program, args=args, env=env)
        return Client(stdio_client(parameters), mode=request.param, **callbacks)

    return made


@asynccontextmanager
async def pipes(words, url):
    """The bridge with bare pipes, and a way to ask it."""
    command, env = words(url)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(END_S):
            yield Pipes(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Pipes:
    def __init__(self, process):
        self.process = process

    async def say(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self):
        return json.loads(await self.process.stdout.readline())

    async def answer(self, id):
        while (heard := await self.hear()).get("id") != id:
            pass
        return heard

    async def ask(self, id, method, **params):
        await self.say({"id": id, "method": method, "params": params})
        return await self.answer(id)

    async def shake_hands(self):
        greeting = await self.ask(0, "initialize", **HELLO)
        await self.say({"method": "notifications/initialized"})
        return greeting


async def test_tools_are_listed_and_called(client, fixture_url):
    async with client(fixture_url) as hub:
        tools = {tool.name for tool in (await hub.list_tools()).tools}
        assert "echo" in tools
        answers = await asyncio.gather(*(hub.call_tool("echo", {"n": n}) for n in range(20)))
        assert [answer.structured_content for answer in answers] == [{"n": n} for n in range(20)]


async def test_progress_and_what_is_asked_in_the_middle_come_through(client, fixture_url):
    async def answer(context, params):
        return ElicitResult(action="accept", content={"name": "Ada"})

    told = []

    async def progressed(progress, total, message):
        told.append(progress)

    async with client(fixture_url, elicitation_callback=answer) as hub:
        done = await hub.call_tool("test_tool_with_progress", {}, progress_callback=progressed)
        assert (done.is_error, told) == (False, [0, 50, 100])
        done = await hub.call_tool("test_streaming_elicitation", {})
        assert "Ada" in done.content[0].text


async def test_an_answer_whose_stream_was_ended_is_taken_up_again(client, fixture_url):
    async with client(fixture_url) as hub:
        done = await hub.call_tool("test_reconnection", {})
        assert done.content[0].text == "Reconnection test completed"


async def test_an_error_comes_as_it_was(client, fixture_url):
    async with client(fixture_url) as hub:
        with pytest.raises(MCPError) as caught:
            await hub.call_tool("no_such_tool", {})
        assert caught.value.error.code == -32602


async def test_texts_that_no_header_can_carry_arrive(client, fixture_url):
    async with client(fixture_url) as hub:
        done = await hub.call_tool("greet", {"name": "Zoë\n\u2028日本"})
        assert done.content[0].text == "Hello, Zoë\n\u2028日本!"
        with pytest.raises(MCPError):
            await hub.call_tool("日本", {})


async def test_the_newer_revision_needs_its_arguments_in_headers(client, fixture_url):
    async with client(fixture_url) as hub:
        await hub.list_tools()
        done = await hub.call_tool("test_mirrored_header", {"region": "eu"})
        assert done.structured_content == {"region": "eu"}


async def test_what_the_server_says_of_itself_comes_through(words, fixture_url):
    async with pipes(words, fixture_url) as bridge:
        await bridge.shake_hands()
        await bridge.ask(1, "resources/subscribe", uri="test://watched-resource")
        await bridge.say(
            {"id": 2, "method": "tools/call", "params": {"name": "test_touch_resource"}}
        )
        heard = [await bridge.hear(), await bridge.hear()]
        assert {each.get("method") or each["id"] for each in heard} == {
            "notifications/resources/updated",
            2,
        }


@pytest.mark.parametrize("modern", [False, True])
async def test_what_is_cancelled_is_not_answered(words, fixture_url, modern):
    async with pipes(words, fixture_url) as bridge:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": "wait", "arguments": {"seconds": 50}}
        if modern:
            params["_meta"] = meta
        else:
            await bridge.shake_hands()
        await bridge.say({"id": 1, "method": "tools/call", "params": params})
        await bridge.say({"method": "notifications/cancelled", "params": {"requestId": 1}})
        more = {"_meta": meta} if modern else {}
        await bridge.say({"id": 2, "method": "tools/list", "params": more})
        assert (await bridge.hear())["id"] == 2


@pytest.mark.slow
async def test_many_requests_at_once_are_all_answered(words, fixture_url):
    async with pipes(words, fixture_url) as bridge:
        await bridge.shake_hands()
        many = range(1, 400)
        for id in many:
            await bridge.say({"id": id, "method": "ping"})
        assert sorted([(await bridge.hear())["id"] for _ in many]) == list(many)


async def test_what_is_no_message_is_refused(words, fixture_url):
    async with pipes(words, fixture_url) as bridge:
        for line in (b"{\n", b"[]\n", b'{"jsonrpc":"2.0","id":{},"method":"x"}\n'):
            bridge.process.stdin.write(line)
            assert (await bridge.hear())["error"]["code"] == -32700
        await bridge.shake_hands()
        assert (await bridge.ask(1, "ping"))["result"] == {}


@pytest.mark.slow
async def test_it_ends_when_its_input_does(words, fixture_url):
    async with pipes(words, fixture_url) as bridge:
        await bridge.shake_hands()
        params = {"name": "wait", "arguments": {"seconds": 50}}
        await bridge.say({"id": 1, "method": "tools/call", "params": params})
        bridge.process.stdin.close()
        assert await bridge.process.wait() == 0


@pytest.mark.slow
async def test_it_ends_when_its_input_does_even_if_there_is_no_hub(words):
    async with pipes(words, "http://127.0.0.1:9") as bridge:
        await bridge.say({"method": "notifications/initialized"})
        bridge.process.stdin.close()
        async with asyncio.timeout(10):
            assert await bridge.process.wait() == 0


@pytest.mark.slow
async def test_a_hub_that_was_restarted_is_the_same_to_its_client(words):
    async with AsyncExitStack() as first:
        url = await first.enter_async_context(server())
        async with pipes(words, url) as bridge:
            await bridge.shake_hands()
            await bridge.ask(1, "resources/subscribe", uri="test://watched-resource")
            await bridge.say(called(2, "wait", seconds=50))
            await bridge.ask(3, "ping")
            await first.aclose()
            lost = await bridge.answer(2)
            assert lost["error"]["data"]["code"] == "UNAVAILABLE"
            await bridge.say(called(4, "echo", n=1))
            async with server(int(url.rpartition(":")[2])):
                done = await bridge.answer(4)
                assert done["result"]["structuredContent"] == {"n": 1}
                await bridge.say(called(5, "test_touch_resource"))
                heard = [await bridge.hear(), await bridge.hear()]
                assert {each.get("method") or each["id"] for each in heard} == {
                    "notifications/resources/updated",
                    5,
                }


def called(id, name, **arguments):
    params = {"name": name, "arguments": arguments}
    return {"id": id, "method": "tools/call", "params": params}


@pytest.mark.slow
async def test_the_hub_itself_may_be_restarted(tmp_path):
    database = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    command = [sys.executable, "-m", "hubbub", "mcp", "stdio"]
    with ExitStack() as first:
        url = first.enter_context(serving(tmp_path, "--database", database))["url"]
        env = {**environment(tmp_path), "HUBBUB_URL": url}
        async with pipes(lambda url: (command, env), url) as bridge:
            await bridge.shake_hands()
            before = await bridge.ask(1, "tools/list")
            first.close()
            await bridge.say(called(2, "find_tool", queries=["which calls failed"]))
            with serving(tmp_path, "--database", database, "--port", url.rpartition(":")[2]):
                found = await bridge.answer(2)
                assert found["result"]["isError"] is False
                again = await bridge.ask(3, "tools/list")
                assert again["result"] == before["result"]
                bridge.process.stdin.close()
                assert await bridge.process.wait() == 0
