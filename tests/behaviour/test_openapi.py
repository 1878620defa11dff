"""The description of the hub is valid, whole, and true."""

import jsonschema_rs
import pytest

from tests.support.peer import spec

ERRORS = ["400", "401", "403", "404", "429", "500", "503", "504"]
TREE = {"$ref": "#/definitions/tree"}
LOCAL = {
    "type": "object",
    "properties": {"tree": TREE},
    "definitions": {"tree": {"type": "object", "properties": {"child": TREE}}},
}
SELF = {"type": "object", "properties": {"again": {"$ref": "#"}}}
NAMED = {"$id": "https://example.org/x", "$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}


@pytest.fixture
def door():
    return "http"


async def document(call):
    answer = await call.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_every_operation_that_may_be_called_has_a_path(hub, call):
    described = await document(call)
    listed = await call("operation.list", limit=500)
    paths = [f"/v1/{'/'.join(item['id'].rsplit('.', 1))}" for item in listed["items"]]
    assert sorted(described["paths"]) == sorted(paths)
    assert (described["openapi"], described["security"]) == ("3.1.0", [{"key": []}])


async def test_what_may_not_be_called_has_none(call, caller_with):
    described = await document(await caller_with("accounts:read"))
    assert {path for path in described["paths"] if path.startswith("/v1/account/")} == {
        "/v1/account/get",
        "/v1/account/list",
        "/v1/account/me",
    }


async def test_what_a_spoke_offers_has_a_path_while_it_does(hub, call):
    await hub.spoke("laptop", spec("chat", "complete", shared=True, title="Talk"))
    described = (await document(call))["paths"]["/v1/chat/complete"]["post"]
    assert (described["operationId"], described["summary"], described["tags"]) == (
        "chat.complete",
        "Talk",
        ["chat"],
    )


async def test_a_path_tells_what_goes_in_what_comes_out_and_what_may_go_wrong(call):
    described = (await document(call))["paths"]["/v1/account/create"]["post"]
    body = described["requestBody"]
    assert (body["required"], body["content"]["application/json"]["schema"]["required"]) == (
        True,
        ["email"],
    )
    assert sorted(described["responses"]) == sorted(["200", "409", *ERRORS])
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["data"]["title"] == "Account"


async def test_a_declared_error_has_a_response_of_its_own(hub, call):
    declared = [{"code": "NO_MONEY", "description": "Pay first.", "httpStatus": 402}]
    await hub.spoke("laptop", spec("shop", "buy", shared=True, errorSchemas=declared))
    responses = (await document(call))["paths"]["/v1/shop/buy"]["post"]["responses"]
    assert responses["402"]["description"] == "NO_MONEY: Pay first."


async def test_a_subscription_answers_with_events(call):
    responses = (await document(call))["paths"]["/v1/call/follow"]["post"]["responses"]
    assert list(responses["200"]["content"]) == ["text/event-stream"]


async def test_every_schema_is_one_and_every_reference_leads_somewhere(hub, call):
    schemas = (LOCAL, SELF, NAMED, True, {})
    await hub.spoke(
        "laptop",
        *(
            spec("odd", f"n{n}", shared=True, inputSchema=schema, outputSchema=schema)
            for n, schema in enumerate(schemas)
        ),
    )
    described = await document(call)
    ids = [path["post"]["operationId"] for path in described["paths"].values()]
    assert len(ids) == len(set(ids))
    for path in described["paths"].values():
        contents = [path["post"]["requestBody"], *path["post"]["responses"].values()]
        for content in contents:
            for media in content["content"].values():
                # As the document has it: a part of the whole, with what the whole defines.
                whole = {"components": described["components"], **wrapped(media["schema"])}
                jsonschema_rs.validator_for(whole, offline=True)


async def test_a_schema_with_definitions_of_its_own_means_them_inside_the_document(hub, call):
    await hub.spoke("laptop", spec("odd", "tree", shared=True, inputSchema=LOCAL))
    described = await document(call)
    body = described["paths"]["/v1/odd/tree"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    whole = {"components": described["components"], **wrapped(schema)}
    validator = jsonschema_rs.validator_for(whole, offline=True)
    assert validator.is_valid({"tree": {"child": {"child": {}}}})
    assert not validator.is_valid({"tree": {"child": {"child": 5}}})


async def test_schemas_are_named_after_their_operations(call):
    described = await document(call)
    assert set(described["components"]["schemas"]) >= {
        "account.list.output.Account",
        "call.tree.output.CallTree",
    }


async def test_strangers_see_what_the_hub_itself_can_do(hub):
    stranger = hub.door("http", "hub_none")
    assert "/v1/account/me" in (await document(stranger))["paths"]


def wrapped(schema):
    """A schema that stands somewhere inside a document."""
    return {"allOf": [schema]}


def found(value, key):
    """All objects that have this key."""
    match value:
        case dict():
            if key in value:
                yield value
            for each in value.values():
                yield from found(each, key)
        case list():
            for each in value:
                yield from found(each, key)
