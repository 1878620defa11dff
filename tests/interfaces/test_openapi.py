"""OpenAPI says how operations are asked for."""

import pytest

from tests.support.peer import spec


@pytest.fixture
def dialect():
    return "sqlite"


async def paths_of(hub):
    return (await hub.door("http").client.get("/openapi.json")).json()["paths"]


async def test_a_query_with_a_flat_input_may_be_asked_for_by_get(hub):
    path = (await paths_of(hub))["/v1/operation/search"]
    assert sorted(path) == ["get", "post"]
    named = {each["name"]: each["required"] for each in path["get"]["parameters"]}
    assert named == {
        "text": True,
        "keywords": False,
        "profile": False,
        "limit": False,
        "cursor": False,
    }


async def test_every_operation_has_a_name_of_its_own(hub):
    paths = await paths_of(hub)
    ids = [method["operationId"] for path in paths.values() for method in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("type", "schema"),
    [
        ("mutation", {"type": "object", "properties": {"to": {"type": "integer"}}}),
        ("query", {"type": "object", "properties": {"to": {"type": "object"}}}),
        ("query", {"type": "object", "properties": {"to": {}}}),
        ("query", {"type": "object", "properties": {"to": True}}),
        ("query", {"type": "object", "properties": {"to": {"type": "array"}}}),
        ("query", {"type": "object", "properties": {"to": {"type": "array", "items": True}}}),
        ("query", {"type": "array"}),
        ("query", True),
    ],
)
async def test_what_does_not_fit_a_query_string_is_asked_for_by_post(hub, type, schema):
    await hub.spoke("machine", spec("test", "any", type, inputSchema=schema))
    (path,) = (path for id, path in (await paths_of(hub)).items() if id.endswith("/any"))
    assert sorted(path) == ["post"]
