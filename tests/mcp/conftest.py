"""Agents that speak MCP, and servers that stand behind the hub."""

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from hubbub.protocol.mcp import CAPABILITIES_KEY, VERSION_KEY
from tests.support.hub import until

ECHO = str(Path(__file__).parent.parent / "support" / "echo.py")
ERAS = ("legacy", "modern")


@pytest.fixture
def dialect():
    """Agents do not know on which database the hub stands."""
    return "sqlite"


@pytest.fixture(params=ERAS)
def era(request):
    """Of the agent."""
    return request.param


@pytest.fixture(params=ERAS)
def behind(request):
    """The era of the server."""
    return request.param


@pytest.fixture
def agent(hub, era):
    """The official client, as somebody with this key: `async with agent("/mcp/all") as client`."""

    @asynccontextmanager
    async def connected(path="/mcp", key=None, **options):
        headers = {"Authorization": f"Bearer {key or hub.key}"}
        mode = "legacy" if era == "legacy" else "auto"
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(
                streamable_http_client(f"{hub.url}{path}", http_client=http), mode=mode, **options
            ) as client,
        ):
            yield client

    return connected


@pytest.fixture
def serving(hub):
    """Put an echo server behind the hub, and wait until it is there."""
    call = hub.door()

    async def added(name, era="legacy", *, tools=(), **more):
        env = {"TOOLS": "\n".join(json.dumps(tool) for tool in tools)}
        config = {"transport": "stdio", "command": sys.executable, "args": [ECHO, era], "env": env}
        await call("client.create", name=name, type="mcp-server", config={**config, **more})

        async def standing():
            return (await call("client.status", id=name))["items"][0]

        return await until(standing, lambda found: found["status"] == "connected")

    return added


class Wire:
    """A client by hand, where the official one is too polite."""

    def __init__(self, http, path):
        self.http, self.path = http, path
        self.session = None

    async def post(self, body, **headers):
        if self.session is not None:
            headers = {"Mcp-Session-Id": self.session, **headers}
        return await self.http.post(self.path, json=body, headers=headers)

    async def ask(self, method, params=None, id=1, **headers):
        return await self.post(request(method, params, id), **headers)

    async def modern(self, method, params=None, capabilities=None, **more):
        """A request of the newer revision, and its answer."""
        body, headers = framed(method, params, capabilities)
        return await self.http.post(self.path, json=body, headers={**headers, **more})

    async def shake(self, capabilities=None):
        greeting = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities or {},
            "clientInfo": {"name": "wire", "version": "1"},
        }
        answer = await self.ask("initialize", greeting)
        self.session = answer.headers["Mcp-Session-Id"]
        return answer.json()["result"]


@pytest.fixture
async def wire(hub):
    headers = {
        "Authorization": f"Bearer {hub.key}",
        "Accept": "application/json, text/event-stream",
    }
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as http:
        yield lambda path="/mcp/all": Wire(http, path)


def request(method, params=None, id=1):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}


def framed(method, params=None, capabilities=None, id=1):
    """A request of the newer revision, and the headers that go with it."""
    params = dict(params or {})
    params["_meta"] = {
        VERSION_KEY: "2026-07-28",
        CAPABILITIES_KEY: capabilities or {},
        **params.get("_meta", {}),
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
    name = params.get("uri") if method == "resources/read" else params.get("name")
    if name is not None:
        headers["Mcp-Name"] = name
    return request(method, params, id), headers


def events(text):
    """The messages of a stream."""
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
