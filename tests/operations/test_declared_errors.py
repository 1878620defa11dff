"""What an operation of the hub fails with stands in its definition."""

import pytest

from hubbub.kernel.errors import HubError
from tests.support.hub import Hub

pytestmark = pytest.mark.slow

NONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def dialect():
    return "sqlite"


async def declared(hub: Hub, operation: str) -> set[str]:
    spec = await hub.door()("operation.schema", id=operation)
    return {error["code"] for error in spec["errorSchemas"]}


@pytest.mark.parametrize(
    ("operation", "input", "code"),
    [
        ("account.get", {"id": NONE}, "NOT_FOUND"),
        ("account.create", {"email": "owner@localhost"}, "CONFLICT"),
        ("account.setStatus", {"id": NONE, "status": "active"}, "NOT_FOUND"),
        ("apiKey.create", {"ownerId": NONE}, "NOT_FOUND"),
        ("apiKey.revoke", {"id": NONE}, "NOT_FOUND"),
        ("apiKey.rotate", {"id": NONE}, "NOT_FOUND"),
        ("apiKey.setEnabled", {"id": NONE, "enabled": True}, "NOT_FOUND"),
        ("call.abort", {"id": NONE}, "NOT_FOUND"),
        ("call.get", {"id": NONE}, "NOT_FOUND"),
        ("call.lineage", {"id": NONE}, "NOT_FOUND"),
        ("call.tree", {"id": NONE}, "NOT_FOUND"),
        ("call.run", {"operation": "account.me", "provider": "nobody"}, "NOT_FOUND"),
        ("hub.drain", {}, "CONFLICT"),
        ("hub.register", {"name": "x", "spokeType": "compute", "operations": []}, "CONFLICT"),
        ("operation.remove", {"id": "operation.list"}, "CONFLICT"),
        ("spoke.get", {"id": NONE}, "NOT_FOUND"),
        ("spoke.remove", {"id": NONE}, "NOT_FOUND"),
    ],
)
async def test_an_operation_fails_with_what_it_declares(hub, operation, input, code):
    with pytest.raises(HubError) as failure:
        await hub.door()(operation, **input)
    assert failure.value.name == code
    assert code in await declared(hub, operation)


async def test_openapi_says_under_which_status_they_are_answered(hub):
    document = (await hub.door("http").client.get("/openapi.json")).json()
    conflict = document["paths"]["/v1/operation/remove"]["post"]["responses"]["409"]
    assert conflict["description"].startswith("CONFLICT: ")
