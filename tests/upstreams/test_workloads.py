"""What the hub is connected to is known as what runs, beside what can be had."""

import json

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.hub import until
from tests.support.upstream import fixture_server
from tests.upstreams.openapi.api import running
from tests.upstreams.test_mcp_servers import config, connected

pytestmark = pytest.mark.slow


async def test_a_server_that_is_connected_runs_and_its_tools_are_found(hub):
    call = hub.door()
    await call("client.create", name="echo", type="mcp-server", config=config())
    await connected(call, "echo")

    async def workload():
        return await call("workload.get", id="echo")

    found = await until(workload, lambda found: found["status"] == "running")
    assert "echo" in [tool["name"] for tool in found["tools"]]
    hits = await call("workload.search", text="say it again", limit=1)
    assert [hit["tool"] for hit in hits["items"]] == ["echo"]
    await call("client.update", client="echo", enabled=False)
    await until(workload, lambda found: found["status"] == "stopped")
    assert (await call("workload.search", text="say it again", limit=1))["items"] == []


async def test_a_registry_that_is_configured_is_read(hub, tmp_path):
    call = hub.door()
    servers = {"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(servers))
    await call(
        "client.create",
        name="local",
        type="mcp-registry",
        config={"location": str(path)},
    )
    found = await until(lambda: call("registry.search", text="time"), lambda found: found["items"])
    assert found["items"][0]["server"]["package"] == "pypi:mcp-server-time"
    await call("client.remove", client="local")
    await until(lambda: call("registry.list"), lambda page: page["items"] == [])


@pytest.mark.slow
async def test_a_server_that_a_source_says_is_running_is_connected_and_its_tools_called(hub):
    said = []

    async def workloads(request):
        return JSONResponse({"workloads": said})

    async def version(request):
        return JSONResponse({"version": "v1.0.0"})

    paths = {"/api/v1beta/workloads": workloads, "/api/v1beta/version": version}
    app = Starlette(routes=[Route(path, answer) for path, answer in paths.items()])
    async with fixture_server() as url, running(app) as toolhive:
        said.append(
            {
                "name": "fixture",
                "package": "example/fixture:1",
                "url": url,
                "status": "running",
                "transport_type": "streamable-http",
                "group": "lab",
            }
        )
        call = hub.door()
        config = {"kind": "toolhive", "port": int(toolhive.rpartition(":")[2])}
        await call("client.create", name="thv", type="workload-source", config=config)
        await until(lambda: call("client.get", client="fixture"), bool)
        await connected(call, "fixture")
        assert (await call("fixture.test_simple_text"))[0]["type"] == "text"
        (found,) = (await call("workload.list"))["items"]
        assert (found["source"], found["status"], found["group"]) == ("thv", "running", "lab")
        said[0]["status"] = "stopped"
        await call("workload.refresh", source="thv")
        await until(lambda: call("client.list"), lambda page: len(page["items"]) == 1)
