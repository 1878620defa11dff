"""Documents that become clients and their operations."""

import msgspec
import pytest

from hubbub.calls.tables import call_graph_nodes
from hubbub.catalog.tables import operation_registrations
from hubbub.kernel.errors import AccessDenied, Conflict, ExecutionFailed, Invalid, TooLarge
from hubbub.services import store as services
from hubbub.services.tables import clients
from hubbub.upstreams.openapi import store
from tests.upstreams.openapi.api import SMALL, document, operation, parameter, running

pytestmark = pytest.mark.slow

KEY = {"apiKey": {"type": "apiKey", "in": "header", "name": "X-Key"}}
PETS = document(
    {
        "/pets": {"get": operation("listPets"), "post": operation("addPet")},
        "/pets/{id}": {"get": operation("getPet", parameter("id", "path"))},
    },
    components={"securitySchemes": KEY},
    security=[{"apiKey": []}],
)


def text(document) -> str:
    return msgspec.json.encode(document).decode()


def without(path, document=PETS):
    return {**document, "paths": {p: i for p, i in document["paths"].items() if p != path}}


@pytest.fixture
def direct(hub):
    return hub.door()


async def test_a_preview_says_what_an_import_would_come_to_and_changes_nothing(hub, call):
    made = await call("openapi.preview", name="pets", text=text(PETS))
    assert made["count"] == 3
    assert made["operations"][2] == {
        "id": "pets.getPet",
        "type": "query",
        "method": "GET",
        "path": "/pets/{id}",
        "description": "GET /pets/{id}",
    }
    assert made["config"] == {
        "baseUrl": "https://api.example",
        "headers": {"X-Key": "${secret:API_KEY}"},
    }
    assert [secret["name"] for secret in made["secrets"]] == ["API_KEY"]
    assert await hub.count(clients) == {"clients": 0}


async def test_an_import_makes_a_client_and_its_operations_and_offers_nothing_yet(hub, call):
    made = await call("openapi.import", name="pets", text=text(PETS), secrets={"API_KEY": "s3cret"})
    assert (made["client"]["name"], made["client"]["type"]) == ("pets", "http-api")
    assert made["client"]["config"]["headers"] == {"X-Key": "${secret:API_KEY}"}
    assert made["added"] == ["pets.listPets", "pets.addPet", "pets.getPet"]
    assert (made["missing"], made["warnings"]) == ([], [])
    known = await call("operation.list", namespace="pets")
    assert [each["id"] for each in known["items"]] == [
        "pets.addPet",
        "pets.getPet",
        "pets.listPets",
    ]
    assert await hub.count(operation_registrations) == {"operation_registrations": 0}
    assert "s3cret" not in str(made)


async def test_what_is_stored_is_enough_to_call_it_after_a_restart(hub, direct):
    made = await direct("openapi.import", name="pets", text=text(PETS))
    async with hub.house.database.reading() as tx:
        client = await services.get(tx, made["client"]["id"])
        stored = {each.spec.name: each.spec for each in await store.operations_of(tx, client)}
    assert stored["getPet"].meta["path"] == "/pets/{id}"
    assert stored["getPet"].meta["parameters"] == [
        {"field": "id", "name": "id", "in": "path", "style": "simple", "explode": False}
    ]


async def test_an_import_of_the_same_again_changes_nothing(direct):
    await direct("openapi.import", name="small", text=text(SMALL))
    again = await direct("openapi.import", name="small", text=text(SMALL))
    assert (again["added"], again["changed"], again["removed"]) == ([], [], [])


async def test_an_import_again_updates_and_removes_and_keeps_the_config(direct):
    config = {"headers": {"X-Other": "x"}, "callTimeoutS": 5}
    await direct("openapi.import", name="pets", text=text(PETS), config=config)
    newer = without("/pets/{id}")
    newer["paths"]["/pets"] = {"get": operation("listPets", summary="All pets")}
    newer["paths"]["/toys"] = {"get": operation("listToys")}
    made = await direct("openapi.import", name="pets", text=text(newer))
    assert made["added"] == ["pets.listToys"]
    assert made["changed"] == ["pets.listPets"]
    assert made["removed"] == ["pets.addPet", "pets.getPet"]
    assert made["client"]["config"] == {"baseUrl": "https://api.example", **config}


async def test_an_import_again_leaves_a_client_as_it_is_and_says_what_it_lacks(direct):
    headers = {"Authorization": "Bearer ${secret:TOKEN}", "X-Key": "${secret:API_KEY}"}
    given = {"text": text(PETS), "config": {"headers": headers}}
    made = await direct("openapi.import", name="pets", enabled=False, **given)
    assert [each["name"] for each in made["missing"]] == ["API_KEY", "TOKEN"]
    made = await direct("openapi.import", name="pets", **given, secrets={"TOKEN": "x"})
    assert [each["name"] for each in made["missing"]] == ["API_KEY"]
    assert made["client"]["enabled"] is False
    secrets = {f"S{n}": "x" for n in range(64)}
    with pytest.raises(Conflict):
        await direct("openapi.import", name="pets", **given, secrets=secrets)


async def test_records_of_calls_outlive_a_definition_that_is_gone(hub, direct):
    await direct("openapi.import", name="pets", text=text(PETS))
    with pytest.raises(Exception, match="nobody offers"):
        await direct("pets.getPet", id="1")
    made = await direct("openapi.import", name="pets", text=text(without("/pets/{id}")))
    assert made["removed"] == ["pets.getPet"]
    assert await hub.count(call_graph_nodes)


async def test_definitions_that_outlived_their_client_go_to_the_next_of_its_name(direct):
    await direct("openapi.import", name="pets", text=text(PETS))
    await direct("client.remove", client="pets")
    made = await direct("openapi.import", name="pets", text=text(without("/pets")))
    assert (made["changed"], made["removed"]) == (["pets.getPet"], ["pets.addPet", "pets.listPets"])


async def test_what_somebody_else_defined_is_not_taken(hub, direct):
    spec = {
        "namespace": "pets",
        "name": "getPet",
        "type": "query",
        "description": "mine",
        "shared": True,
    }
    await hub.spoke("machine", spec)
    with pytest.raises(Conflict):
        await direct("openapi.import", name="pets", text=text(PETS))
    assert await hub.count(clients) == {"clients": 0}


async def test_a_name_that_is_the_hubs_own_or_a_client_of_another_type_is_refused(direct):
    with pytest.raises(Invalid):
        await direct("openapi.import", name="call", text=text(PETS))
    config = {"transport": "streamable-http", "url": "https://mcp.example"}
    await direct("client.create", name="pets", type="mcp-server", config=config)
    with pytest.raises(Conflict):
        await direct("openapi.import", name="pets", text=text(PETS))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "text"),
        ({"text": "["}, "document"),
        ({"text": "{}"}, "document"),
        ({"text": '{"openapi": "4.0.0"}'}, "document"),
        ({"text": '{"openapi": "3.1.0", "paths": {}}'}, "baseUrl"),
        ({"text": '{"openapi": "3.1.0", "servers": [{"url": "/v1"}]}'}, "baseUrl"),
        ({"text": text(PETS), "baseUrl": "ftp://x"}, "baseUrl"),
        ({"url": "file:///etc/passwd"}, "url"),
    ],
)
async def test_what_is_missing_is_named(direct, given, field):
    with pytest.raises(Invalid) as refused:
        await direct("openapi.preview", name="pets", **given)
    assert [error["field"] for error in refused.value.details["errors"]] == [field]


async def test_a_document_and_what_it_refers_to_are_fetched_from_where_they_stand(direct):
    parts = {
        "/docs/openapi.json": {
            **SMALL,
            "servers": [{"url": "../api"}],
            "paths": {"/pets": {"$ref": "paths/pets.yaml#/all"}},
        },
        "/docs/paths/pets.yaml": {
            "all": {
                "get": operation(
                    "listPets",
                    responses={
                        "200": {
                            "description": "ok",
                            "content": {"application/json": {"schema": {"$ref": "pet.json"}}},
                        }
                    },
                )
            }
        },
        "/docs/paths/pet.json": {"type": "object", "properties": {"next": {"$ref": "#"}}},
    }

    async def app(scope, receive, send):
        part = parts.get(scope["path"])
        status = 200 if part else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(part)})

    async with running(app) as url:
        made = await direct("openapi.import", name="pets", url=f"{url}/docs/openapi.json")
        assert made["client"]["config"] == {
            "baseUrl": f"{url}/api",
            "document": f"{url}/docs/openapi.json",
        }
        schema = (await direct("operation.schema", id="pets.listPets"))["outputSchema"]
        assert schema == {
            "$ref": "#/$defs/pet",
            "$defs": {"pet": {"type": "object", "properties": {"next": {"$ref": "#/$defs/pet"}}}},
        }
        with pytest.raises(ExecutionFailed):
            await direct("openapi.import", name="pets", url=f"{url}/docs/other.json")


async def test_parts_come_with_a_text(direct):
    whole = {**PETS, "paths": {"/pets": {"$ref": "paths/pets.yaml"}}}
    parts = {"paths/pets.yaml": "get: {operationId: listPets, responses: {}}"}
    made = await direct("openapi.import", name="pets", text=text(whole), parts=parts)
    assert made["added"] == ["pets.listPets"]
    with pytest.raises(Invalid):
        await direct("openapi.import", name="pets", text=text(whole))
    elsewhere = "https://other.example/paths.json"
    whole["paths"]["/pets"] = {"$ref": elsewhere}
    with pytest.raises(AccessDenied):
        await direct("openapi.import", name="pets", text=text(whole))
    parts = {elsewhere: "get: {operationId: listPets, responses: {}}"}
    await direct("openapi.import", name="pets", text=text(whole), parts=parts)


async def test_a_document_that_is_too_much_is_refused(direct):
    bomb = "\n".join(
        ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    )
    with pytest.raises(TooLarge):
        await direct("openapi.import", name="pets", text=bomb)
