"""A hub with servers behind it, for programs of others to meet."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

CONNECT_S = 60


@pytest.fixture
def dialect():
    """Programs of others do not know on which database the hub stands."""
    return "sqlite"


@pytest.fixture
def add(hub):
    """`await add("git", **config)`: has the hub connect to an MCP server, and waits until it is."""
    call = hub.door()

    async def connected(name, **config):
        await call("client.create", name=name, type="mcp-server", config=config)
        async with asyncio.timeout(CONNECT_S):
            while (found := await standing(name))["status"] != "connected":
                assert found["status"] != "failed", found
                await asyncio.sleep(0.05)
        return found

    async def standing(name):
        (found,) = (await call("client.status", id=name))["items"]
        return found

    return connected


@pytest.fixture
def profile(hub):
    """`await profile("name", "server")`: the URL under which the tools of these are shown."""

    async def made(name, *servers):
        await hub.door()("profile.create", name=name, servers=list(servers))
        return f"{hub.url}/mcp/profiles/{name}"

    return made


@pytest.fixture
def agent(hub):
    """`async with agent(url) as client`: somebody who uses the hub through MCP."""

    @asynccontextmanager
    async def connected(url=f"{hub.url}/mcp", **options):
        headers = {"Authorization": f"Bearer {hub.key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http), **options) as client,
        ):
            yield client

    return connected
