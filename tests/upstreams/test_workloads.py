"""What the hub is connected to is known as what runs, beside what can be had."""

import json

from tests.support.hub import until
from tests.upstreams.test_mcp_servers import config, connected


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
