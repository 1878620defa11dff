"""A hub whose sources are clients: from a document to a server that is found."""

import json

import httpx2 as httpx
import pytest

from tests.support.hub import until

GITHUB = {"name": "github", "image": "ghcr.io/github/github-mcp-server:v1.0.1"}


def toolhive_registry(**changes):
    entry = {
        "image": GITHUB["image"],
        "transport": "stdio",
        "description": "Repositories and issues",
        "tool_definitions": [{"name": "create_issue", "description": "Opens an issue"}],
        **changes,
    }
    return {"version": "1.0.0", "last_updated": "now", "servers": {"github": entry}}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(toolhive_registry()))
    return path


async def known(call):
    return (await call("registry.list"))["items"]


async def test_a_source_is_a_client_and_goes_with_it(call, document):
    made = await call(
        "client.create",
        name="catalogue",
        type="mcp-registry",
        config={"location": str(document)},
    )
    (server,) = await until(lambda: known(call), bool)
    assert (server["name"], server["package"], server["source"]) == (
        "github",
        GITHUB["image"],
        "catalogue",
    )
    found = await call("registry.search", text="open an issue")
    assert [(each["server"]["name"], each["tool"]) for each in found["items"]] == [
        ("github", "create_issue")
    ]
    document.write_text(json.dumps(toolhive_registry(description="Code")))
    state = await call("registry.refresh", source="catalogue")
    assert (state["changed"], state["error"]) == (1, None)
    assert [each["description"] for each in await known(call)] == ["Code"]
    await call("client.update", client="catalogue", enabled=False)
    await until(lambda: call("registry.status"), lambda found: found["sources"] == [])
    assert len(await known(call)) == 1
    await call("client.remove", client=made["id"])
    assert await until(lambda: known(call), lambda found: not found) == []


async def test_a_source_that_cannot_be_asked_says_why(hub):
    call = hub.door()
    await call(
        "client.create",
        name="far",
        type="mcp-registry",
        config={"location": "http://127.0.0.1:1", "form": "api"},
    )

    async def states():
        return (await call("registry.status"))["sources"]

    (state,) = await until(states, lambda found: found and found[0]["error"])
    assert state["name"] == "far"
    assert (await call("registry.search", text="x"))["note"].startswith("no servers are known: far")


async def test_a_secret_that_is_missing_is_told_and_then_set(hub, far):
    asked = []

    def answer(request):
        asked.append(request.headers.get("Authorization"))
        return {"servers": [{"name": "io.a/b", "remotes": [{"type": "sse", "url": "https://a"}]}]}

    far.answers["/v0.1/servers"] = answer
    call = hub.door()
    made = await call(
        "client.create",
        name="far",
        type="mcp-registry",
        config={
            "location": far.url,
            "form": "api",
            "headers": {"Authorization": "Bearer ${secret:TOKEN}"},
        },
    )

    async def states():
        return (await call("registry.status"))["sources"]

    await until(states, lambda found: found and found[0]["error"])
    assert asked == []
    await call("client.setSecret", client=made["id"], key="TOKEN", value="t0ken-of-mine")
    (server,) = await until(lambda: known(call), bool)
    assert (server["name"], set(asked)) == ("io.a/b", {"Bearer t0ken-of-mine"})


async def test_the_hub_publishes_what_it_knows(hub):
    call = hub.door()
    await call("registry.add", name="io.example/mine", url="https://mine/mcp")
    async with httpx.AsyncClient(base_url=hub.url) as client:
        headers = {"Authorization": f"Bearer {hub.key}"}
        said = await client.get("/v0.1/servers", headers=headers)
    assert [each["server"]["name"] for each in said.json()["servers"]] == ["io.example/mine"]
