"""The clients of four SDKs, each in the eras that it knows."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.support.upstream import fixture_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent / "clients"
PATIENCE_S = 60
LEGACY, MODERN = "2025-11-25", "2026-07-28"
CLIENTS = {
    "python-1": LEGACY,
    "python-2 legacy": LEGACY,
    "python-2 auto": MODERN,
    "typescript-1": LEGACY,
    "typescript-2 legacy": LEGACY,
    "typescript-2 auto": MODERN,
}
FOUND = {
    "tools": True,
    "called": "Hello, hub!",
    "failed": True,
    "progressed": "Tool with progress executed successfully",
    "elicited": "User response: action=accept, "
    'content={"username": "my username", "email": "my email"}',
    "sampled": "LLM response: heard: Well?",
    "rooted": '[{"uri": "file:///here", "name": "here"}]',
    "rounds": "my name likes my color",
    "read": "This is the content of the static text resource.",
    "binary": True,
    "prompt": "Prompt with arguments: arg1='one', arg2='two'",
    "completed": ["paris", "park", "party"],
    "progress": [0, 50, 100],
}


@pytest.fixture(params=CLIENTS)
def client(request, node, outside_python):
    """`await client(url, key)`: what a client found there."""
    language, _, mode = request.param.partition(" ")
    programs = {
        "python-1": [str(outside_python / "python"), str(HERE / "v1.py")],
        "python-2": [sys.executable, str(HERE / "v2.py")],
        "typescript-1": node.script(HERE / "v1.mjs", HERE / "steps.mjs"),
        "typescript-2": node.script(HERE / "v2.mjs", HERE / "steps.mjs"),
    }

    async def use(url, key=""):
        command = [*programs[language], url, key, *filter(None, [mode])]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(PATIENCE_S):
                said, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaints.decode()[-4_000:]
        return json.loads(said.splitlines()[-1])

    use.version = CLIENTS[request.param]
    return use


async def test_a_client_is_served_by_the_fixture_alone(client):
    async with fixture_server() as url:
        assert await client(url) == {"version": client.version, **FOUND}


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_client_is_served_by_the_hub_whatever_is_behind_it(client, hub, add, profile, era):
    async with fixture_server("--era", era) as server:
        await add("fixture", transport="streamable-http", url=server)
        url = await profile("everything", "fixture")
        assert await client(url, hub.key) == {"version": client.version, **FOUND}
