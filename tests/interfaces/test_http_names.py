"""Over HTTP an operation of a spoke is what it is, whichever of its names is called."""

import asyncio

import pytest

from hubbub.kernel.errors import Invalid
from tests.support.peer import spec

NUMBER = {"type": "object", "properties": {"to": {"type": "integer"}}}


@pytest.fixture
def dialect():
    return "sqlite"


@pytest.fixture(params=["short", "whole"])
async def spoke(request, hub):
    """A spoke, and one of the two ways to call what it offers."""
    operations = (
        spec("test", "count", "subscription", inputSchema=NUMBER),
        spec("test", "double", inputSchema=NUMBER),
        spec("test", "reset", "mutation"),
    )
    peer = await hub.connect()
    registered = await peer.register("counter", *operations)
    name = "preRemapId" if request.param == "short" else "operationId"
    return peer, {each["preRemapId"]: each[name] for each in registered["operations"]}


async def test_all_answers_of_a_subscription_come(hub, spoke):
    peer, names = spoke
    http = hub.door("http")

    async def heard():
        return [answer async for answer in http.answers(names["test.count"], to=2)]

    hearing = asyncio.create_task(heard())
    asked = await peer.asked()
    await peer.answer(asked, 1)
    await peer.answer(asked, 2)
    await peer.complete(asked)
    assert await hearing == [1, 2]


async def test_a_value_in_a_query_string_is_what_its_field_takes(hub, spoke):
    peer, names = spoke
    http = hub.door("http")
    path = f"/v1/{'/'.join(names['test.double'].rsplit('.', 1))}"
    asking = asyncio.create_task(http.client.get(path, params={"to": "21"}))
    asked = await peer.asked()
    await peer.answer(asked, 42)
    assert ((await asking).json()["data"], asked["input"]) == (42, {"to": 21})


async def test_a_mutation_is_not_asked_for_by_get(hub, spoke):
    _, names = spoke
    http = hub.door("http")
    path = f"/v1/{'/'.join(names['test.reset'].rsplit('.', 1))}"
    response = await http.client.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (400, Invalid.code)
