"""The hub as a registry, in the form of the official one."""

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.registry import RegistryDoor
from hubbub.kernel.clock import utc_now
from hubbub.kernel.events import Bus
from hubbub.mcpservers.formats import parse
from hubbub.mcpservers.ingestion import Ingestion
from tests.mcpservers.conftest import Counting
from tests.mcpservers.said import container, entry, registry, remote

pytestmark = pytest.mark.slow

META = "io.modelcontextprotocol.registry/official"
NPM = {"registryType": "npm", "identifier": "@a/b", "transport": {"type": "stdio"}}
FAR = {"type": "streamable-http", "url": "https://a/mcp"}
BOTH = {
    "name": "io.a/both",
    "title": "Both",
    "description": "Does it",
    "version": "1.2.0",
    "packages": [NPM],
    "remotes": [FAR],
}


@pytest.fixture
async def get(hub):
    ingestion = Ingestion(hub.house.database, Counting, utc_now)
    await ingestion.registry(parse([BOTH], "official"))
    await ingestion.registry(
        registry(
            entry("plain name", container("mcp/plain:1"), description="x" * 300),
            entry("other_name", remote("https://other/mcp")),
        )
    )
    entrance = Entrance(calls=hub.house.calls, door=hub.house.door, bus=Bus())
    door = RegistryDoor(entrance=entrance, database=hub.house.database)
    transport = httpx.ASGITransport(app=Starlette(routes=door.routes()))
    key = await hub.key_with("registry:read")
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:

        async def getting(path, key=key, **query):
            headers = {"Authorization": f"Bearer {key}"}
            return await client.get(path, params=query, headers=headers)

        yield getting


async def names(get, **query):
    said = (await get("/v0.1/servers", **query)).json()
    return [each["server"]["name"] for each in said["servers"]]


async def test_a_server_has_all_that_it_is_known_by(get):
    said = (await get("/v0.1/servers/io.a%2Fboth/versions/latest")).json()
    assert said["server"] == {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        **BOTH,
    }
    official = said["_meta"][META]
    assert (official["status"], official["isLatest"]) == ("active", True)
    assert (await get("/v0.1/servers/io.a%2Fboth/versions/1.2.0")).json() == said
    assert (await get("/v0.1/servers/io.a/both/versions")).json()["servers"] == [said]


async def test_servers_are_listed_page_by_page_under_names_that_the_schema_allows(get):
    first = (await get("/v0.1/servers", limit=2)).json()
    assert first["metadata"]["count"] == 2
    cursor = first["metadata"]["nextCursor"]
    second = (await get("/v0.1/servers", limit=2, cursor=cursor)).json()
    listed = [each["server"] for page in (first, second) for each in page["servers"]]
    assert [each["name"] for each in listed] == [
        "io.a/both",
        "local.hubbub/other_name",
        "local.hubbub/plain-name",
    ]
    assert "nextCursor" not in second["metadata"]
    assert [len(each["description"]) for each in listed] == [7, 31, 100]
    assert listed[2]["packages"] == [
        {
            "registryType": "oci",
            "identifier": "mcp/plain:1",
            "transport": {"type": "streamable-http"},
        }
    ]
    for each in listed:
        one = await get(f"/v0.1/servers/{each['name']}/versions/latest")
        assert one.json()["server"] == each


async def test_servers_are_filtered(get):
    assert await names(get, search="NAME") == ["local.hubbub/other_name", "local.hubbub/plain-name"]
    assert await names(get, version="1.2.0") == ["io.a/both"]
    assert len(await names(get, version="latest")) == 3
    assert await names(get, updated_since="2999-01-01T00:00:00Z") == []
    assert len(await names(get, updated_since="2020-01-01T00:00:00Z")) == 3


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v0.1/servers/io.a%2Fnone/versions/latest", {}, 404),
        ("/v0.1/servers/io.a%2Fboth/versions/9", {}, 404),
        ("/v0.1/servers/%25/versions", {}, 404),
        ("/v0.1/servers", {"limit": "0"}, 400),
        ("/v0.1/servers", {"limit": "many"}, 400),
        ("/v0.1/servers", {"cursor": "odd"}, 400),
        ("/v0.1/servers", {"updated_since": "yesterday"}, 400),
        ("/v0.1/servers", {"updated_since": "2020-01-01"}, 400),
    ],
)
async def test_what_is_refused_is_refused_in_a_sentence(get, path, query, status):
    response = await get(path, **query)
    assert response.status_code == status
    assert isinstance(response.json()["error"], str)


async def test_a_key_is_needed_and_the_right_to_read(get, hub):
    assert (await get("/v0.1/servers", key="none")).status_code == 401
    key = await hub.key_with("calls:read", email="other@example.org")
    assert (await get("/v0.1/servers", key=key)).status_code == 403


async def test_another_hub_reads_what_this_one_publishes(get):
    said = (await get("/v0.1/servers")).json()
    read = parse(said, "another")
    assert sorted(each.identity.text for each in read.servers) == [
        "https://a/mcp",
        "https://other/mcp",
        "mcp/plain:1",
        "npm:@a/b",
    ]
    assert read.refused == ()
