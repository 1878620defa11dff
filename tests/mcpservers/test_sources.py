"""Registries and a ToolHive, asked over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from hubbub.kernel.errors import Invalid, Unavailable
from hubbub.mcpservers import toolhive
from hubbub.mcpservers.catalogues import Catalogue, OfficialRegistry
from hubbub.mcpservers.sources import decode
from hubbub.mcpservers.toolhive import ToolHive

META = "io.modelcontextprotocol.registry/official"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


def official(name, *, status="active", url=None):
    return {
        "server": {
            "name": name,
            "description": name,
            "version": "1",
            "remotes": [{"type": "streamable-http", "url": url or f"https://{name}/mcp"}],
        },
        "_meta": {META: {"status": status, "isLatest": True}},
    }


def names(snapshot):
    return [each.name for each in snapshot.servers]


async def test_the_official_registry_is_read_to_its_last_page_and_then_only_for_changes(far):
    clock = Clock()
    source = OfficialRegistry("official", far.url, clock)

    def pages(request):
        if "updated_since" in request.query:
            return {"servers": [official("io.a/new"), official("io.a/b", status="deleted")]}
        if request.query.get("cursor") == "two":
            return {"servers": [official("io.a/b")], "metadata": {}}
        return {"servers": [official("io.a/a")], "metadata": {"nextCursor": "two"}}

    far.answers["/v0.1/servers"] = pages
    snapshot = await source.snapshot()
    assert (names(snapshot), snapshot.complete) == (["io.a/a", "io.a/b"], True)
    source.accepted()
    clock.now += timedelta(hours=1)
    snapshot = await source.snapshot()
    assert (names(snapshot), snapshot.complete, snapshot.gone) == (
        ["io.a/new"],
        False,
        ("io.a/b",),
    )
    assert "updated_since=2025-12-31T23:55:00Z" in far.asked[-1].replace("%3A", ":")
    # It was not accepted, so the same is asked for again.
    await source.snapshot()
    assert far.asked[-1] == far.asked[-2]
    source.accepted()
    clock.now += timedelta(hours=24)
    assert (await source.snapshot()).complete


async def test_an_official_registry_with_nothing_new_says_so(far):
    clock = Clock()
    source = OfficialRegistry("official", f"{far.url}/v0.1/servers", clock)
    far.answers["/v0.1/servers"] = {"servers": []}
    await source.snapshot()
    source.accepted()
    clock.now += timedelta(hours=1)
    assert await source.snapshot() is None
    assert "updated_since" in far.asked[-1]


async def test_pages_that_go_in_circles_have_an_end(far):
    far.answers["/v0.1/servers"] = {"servers": [], "metadata": {"nextCursor": "again"}}
    with pytest.raises(Invalid):
        await OfficialRegistry("official", far.url, Clock()).snapshot()


async def test_a_document_is_read_again_only_when_it_is_another(far):
    said = {"mcpServers": {"a": {"url": "https://a/mcp"}}}
    far.answers["/mcp.json"] = lambda request: (
        web.Response(status=304)
        if request.headers.get("If-None-Match") == "one"
        else web.json_response(said, headers={"ETag": "one"})
    )
    source = Catalogue("file", f"{far.url}/mcp.json")
    assert names(await source.snapshot()) == ["a"]
    assert names(await source.snapshot()) == ["a"]
    source.accepted()
    assert await source.snapshot() is None


async def test_a_file_is_read_again_only_when_it_is_another(tmp_path):
    path = tmp_path / "catalog.yaml"
    path.write_text("registry:\n  a:\n    image: mcp/a\n    dateAdded: 2025-01-01\n")
    source = Catalogue("file", str(path))
    assert names(await source.snapshot()) == ["a"]
    source.accepted()
    assert await source.snapshot() is None
    path.write_text("registry:\n  b: {image: mcp/b}\n")
    assert names(await source.snapshot()) == ["b"]


async def test_what_cannot_be_read_says_why(far, tmp_path):
    with pytest.raises(Invalid):
        await Catalogue("file", str(tmp_path / "none.json")).snapshot()
    with pytest.raises(Unavailable):
        await Catalogue("far", f"{far.url}/none.json").snapshot()
    far.answers["/odd"] = web.Response(text="a: [b")
    with pytest.raises(Invalid):
        await Catalogue("far", f"{far.url}/odd").snapshot()
    with pytest.raises(Unavailable):
        await Catalogue("nobody", "http://127.0.0.1:1/x").snapshot()


def test_a_document_that_unfolds_without_end_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(Invalid):
        decode("\n".join(lines).encode())


WORKLOADS = {
    "workloads": [
        {
            "name": "fetch",
            "package": "ghcr.io/x/fetch:1",
            "url": "http://127.0.0.1:9/mcp",
            "status": "running",
            "transport_type": "stdio",
            "proxy_mode": "streamable-http",
            "group": "mine",
        },
        {"name": "far", "remote": True, "url": "http://127.0.0.1:9/sse#far", "status": "running"},
        {"name": "gone", "remote": True, "url": "http://127.0.0.1:9/mcp", "status": "running"},
        {"name": "off", "package": "x", "url": "", "status": "stopped"},
        {"name": "sick", "package": "y", "url": "", "status": "unhealthy"},
        {"name": "odd", "package": 3},
        "no workload",
    ]
}


async def tools_of(reached):
    if reached.name == "far":
        raise Unavailable("it does not answer")
    return [{"name": "fetch", "inputSchema": {}}, {"no": "name"}]


async def test_a_toolhive_says_what_runs_and_one_bad_workload_costs_one(far):
    far.answers["/api/v1beta/workloads"] = WORKLOADS
    far.answers["/api/v1beta/workloads/far"] = {"name": "far", "url": "https://real/mcp"}
    snapshot = await ToolHive("thv", port=far.port, tools_of=tools_of).snapshot()
    found = {
        each.workload_name: (
            each.identity.text,
            each.transport,
            each.status,
            each.group,
            None if each.tools is None else [tool.name for tool in each.tools],
        )
        for each in snapshot.workloads
    }
    assert found == {
        "fetch": ("ghcr.io/x/fetch:1", "streamable-http", "running", "mine", ["fetch"]),
        "far": ("https://real/mcp", "sse", "running", "default", None),
        "off": ("x", "streamable-http", "stopped", "default", None),
        "sick": ("y", "streamable-http", "error", "default", None),
    }
    assert snapshot.unclear == {"gone", "odd"}
    assert sorted(why.partition(":")[0] for why in snapshot.refused) == [
        "a workload", "far", "fetch", "gone", "odd",
    ]  # fmt: skip


async def test_a_toolhive_is_found_where_it_listens(far, monkeypatch):
    monkeypatch.setattr(toolhive, "PORTS", range(far.port, far.port + 1))
    far.answers["/api/v1beta/version"] = {"version": "v0.3.1"}
    far.answers["/api/v1beta/workloads"] = {"workloads": []}
    assert (await ToolHive("thv").snapshot()).workloads == ()


async def test_a_toolhive_that_fails_once_is_asked_again(far, monkeypatch):
    monkeypatch.setattr(toolhive, "PAUSE_S", 0.0)
    answers = iter([web.Response(status=503)])
    far.answers["/api/v1beta/workloads"] = lambda request: next(
        answers, web.Response(text=json.dumps({"workloads": None}))
    )
    assert (await ToolHive("thv", port=far.port).snapshot()).workloads == ()
    assert len(far.asked) == 2


async def test_a_toolhive_that_is_not_there_says_so(far, monkeypatch):
    monkeypatch.setattr(toolhive, "PAUSE_S", 0.0)
    monkeypatch.setattr(toolhive, "PORTS", range(1, 3))
    with pytest.raises(Unavailable):
        await ToolHive("thv").snapshot()


async def test_headers_that_are_meant_for_one_go_to_nobody_else(far):
    elsewhere = web.Response(status=302, headers={"Location": f"{far.url}/other"})
    far.answers["/here"] = lambda request: elsewhere
    far.answers["/other"] = {"mcpServers": {"a": {"url": "https://a/mcp"}}}
    assert names(await Catalogue("far", f"{far.url}/here").snapshot()) == ["a"]
    elsewhere = web.Response(status=302, headers={"Location": f"{far.url}/other"})
    far.asked.clear()
    with pytest.raises(Unavailable):
        await Catalogue("far", f"{far.url}/here", {"X-Key": "mine"}).snapshot()
    assert far.asked == ["/here"]
