"""Servers that others wrote, connected to, found by a sentence and called through the hub."""

import asyncio
import json
import re
import socket
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.support.hub import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVERYTHING = "@modelcontextprotocol/server-everything"


async def found(client, sentence):
    """The names of the tools that are found by a sentence, best first."""
    answer = await client.call_tool("find_tool", {"queries": [sentence]})
    return re.findall(r'"name": ?"([^"]+)"', json.dumps(answer.structured_content))


async def called(client, name, **arguments):
    """The text of what a tool says."""
    answer = await client.call_tool("call_tool", {"name": name, "arguments": arguments})
    assert not answer.is_error, answer
    return answer.content[0].text


def stdio(command, *more, **env):
    return {
        "transport": "stdio",
        "command": command[0],
        "args": [*command[1:], *map(str, more)],
        "env": env,
    }


@asynccontextmanager
async def everything_over_http(node):
    """The URL of the reference server, by streamable HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *node.command(EVERYTHING, "mcp-server-everything"),
        "streamableHttp",
        env={"PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(partial(_reachable, port), bool)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


async def _reachable(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture(params=["stdio", "http"])
async def everything(node, add, request):
    """The reference server with everything in it, behind the hub."""
    if request.param == "stdio":
        command = node.command(EVERYTHING, "mcp-server-everything")
        await add("everything", **stdio(command, "stdio"))
        yield "everything"
        return
    async with everything_over_http(node) as url:
        await add("everything", transport="streamable-http", url=url)
        yield "everything"


async def test_the_reference_server_adds_what_it_is_asked_to_add(everything, agent):
    async with agent() as client:
        names = await found(client, "get the sum of two numbers")
        (sums,) = [name for name in names if name.endswith("get-sum")]
        assert await called(client, sums, a=2, b=3) == "The sum of 2 and 3 is 5."


async def test_the_reference_server_tells_how_a_long_operation_comes_along(
    everything, agent, profile
):
    progress = []

    async def came(done, total, message):
        progress.append((done, total))

    async with agent(await profile("all", everything)) as client:
        answer = await client.call_tool(
            "trigger-long-running-operation",
            {"duration": 0.4, "steps": 4},
            progress_callback=came,
        )
    assert answer.content[0].text.startswith("Long running operation completed.")
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_the_reference_server_has_its_resources_and_prompts_read(everything, agent, profile):
    async with agent(await profile("all", everything)) as client:
        resources = (await client.list_resources()).resources
        assert resources
        assert (await client.read_resource(resources[0].uri)).contents
        assert "simple-prompt" in {each.name for each in (await client.list_prompts()).prompts}
        assert (await client.get_prompt("simple-prompt")).messages


async def test_files_are_written_and_read_where_that_is_allowed_and_nowhere_else(
    node, add, agent, tmp_path
):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (tmp_path / "secret.txt").write_text("not for everybody")
    command = node.command("@modelcontextprotocol/server-filesystem", "mcp-server-filesystem")
    await add("files", **stdio(command, allowed))
    async with agent() as client:
        names = await found(client, "create a new file or overwrite one with content")
        (write,) = [name for name in names if name.endswith("write_file")]
        await called(client, write, path=str(allowed / "note.txt"), content="written")
        assert (allowed / "note.txt").read_text() == "written"
        read = {"name": write.replace("write_file", "read_text_file")}
        beyond = {"path": str(tmp_path / "secret.txt")}
        refused = await client.call_tool("call_tool", {**read, "arguments": beyond})
        assert refused.is_error


async def test_what_is_remembered_is_found_again(node, add, agent, tmp_path):
    command = node.command("@modelcontextprotocol/server-memory", "mcp-server-memory")
    await add("memory", **stdio(command, MEMORY_FILE_PATH=str(tmp_path / "memory.json")))
    async with agent() as client:
        names = await found(client, "create multiple new entities in the knowledge graph")
        (create,) = [name for name in names if name.endswith("create_entities")]
        ada = {"name": "Ada", "entityType": "person", "observations": ["wrote programs"]}
        await called(client, create, entities=[ada])
        read = create.replace("create_entities", "search_nodes")
        assert "wrote programs" in await called(client, read, query="Ada")


async def test_the_time_is_converted(outside_python, add, agent):
    await add("time", **stdio([str(outside_python / "mcp-server-time")]))
    async with agent() as client:
        names = await found(client, "convert a time from one timezone to another")
        (convert,) = [name for name in names if name.endswith("convert_time")]
        told = await called(
            client,
            convert,
            source_timezone="Europe/Berlin",
            time="12:00",
            target_timezone="Asia/Tokyo",
        )
        # In Tokyo it is seven hours later in summer, eight in winter.
        assert re.search(r"T(19|20):00", json.loads(told)["target"]["datetime"])


async def test_a_repository_is_looked_at(outside_python, add, agent, tmp_path):
    await _git(tmp_path, "init", "-q")
    (tmp_path / "new.txt").write_text("new")
    await add("git", **stdio([str(outside_python / "mcp-server-git")], "-r", tmp_path))
    async with agent() as client:
        names = await found(client, "show the working tree status of a git repository")
        (status,) = [name for name in names if name.endswith("git_status")]
        assert "new.txt" in await called(client, status, repo_path=str(tmp_path))


async def _git(folder, *arguments):
    process = await asyncio.create_subprocess_exec("git", "-C", str(folder), *arguments)
    assert await process.wait() == 0
