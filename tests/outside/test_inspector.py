"""The command line of the Inspector, a client that others wrote to find fault with servers."""

import asyncio
import json

import pytest

from tests.support.upstream import fixture_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE_S = 60


@pytest.fixture
def inspect(node, hub, tmp_path):
    """`await inspect(url, "--method", "tools/list")`: what it printed."""

    async def run(url, *options):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *node.command("@modelcontextprotocol/inspector", "mcp-inspector"),
            "--cli",
            url,
            "--transport",
            "http",
            "--header",
            f"Authorization: Bearer {hub.key}",
            *options,
            stdout=pipe,
            stderr=pipe,
            cwd=tmp_path,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                said, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, (said + complaints).decode()[-4_000:]
        return json.loads(said)

    return run


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_tools_by_which_others_are_found_have_no_fault(inspect, hub, era):
    listed = await inspect(
        f"{hub.url}/mcp", "--protocol-era", era, "--method", "tools/list", "--strict"
    )
    assert {"find_tool", "call_tool"} <= {tool["name"] for tool in listed["tools"]}


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_tools_of_a_profile_are_listed_and_called(inspect, add, profile, era):
    async with fixture_server() as server:
        await add("fixture", transport="streamable-http", url=server)
        url = await profile("inspected", "fixture")
        listed = await inspect(url, "--protocol-era", era, "--method", "tools/list")
        assert "greet" in {tool["name"] for tool in listed["tools"]}
        told = await inspect(
            url,
            "--protocol-era",
            era,
            "--method",
            "tools/call",
            "--tool-name",
            "greet",
            "--tool-arg",
            "name=hub",
        )
        assert told["content"] == [{"type": "text", "text": "Hello, hub!"}]
