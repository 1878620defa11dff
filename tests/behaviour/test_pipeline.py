"""Whatever is called, and through whichever door, goes the same way."""

import pytest

from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, OperationNotFound

pytestmark = pytest.mark.everywhere


async def test_an_operation_answers_with_its_data(call):
    made = await call("account.create", email="ann@example.org", displayName="Ann")
    assert made == {
        "id": made["id"],
        "email": "ann@example.org",
        "displayName": "Ann",
        "accessLevel": "user",
        "status": "active",
        "createdAt": made["createdAt"],
    }
    assert await call("account.get", id=made["id"]) == made


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_an_answer_comes_in_an_envelope(call):
    envelope = await call.envelope("account.me", {})
    assert envelope["data"]["email"] == "owner@localhost"
    assert envelope["meta"] == {
        "source": "local",
        "operationId": "account.me",
        "timestamp": envelope["meta"]["timestamp"],
    }


async def test_what_nobody_knows_is_not_found(call):
    with pytest.raises(OperationNotFound) as refused:
        await call("no.such")
    assert refused.value.details == {"operation": "no.such"}


async def test_what_is_not_allowed_is_denied_with_what_is_required(caller_with):
    call = await caller_with("calls:read")
    with pytest.raises(AccessDenied) as refused:
        await call("account.create", email="ann@example.org")
    assert refused.value.details == {
        "operation": "account.create",
        "required": {"requiredScopes": ["accounts:write"]},
    }


async def test_an_input_that_does_not_fit_names_its_fields_and_what_was_expected(call):
    with pytest.raises(Invalid) as refused:
        await call("account.create", email=3, accessLevel="king")
    errors = sorted(refused.value.details["errors"], key=lambda error: error["field"])
    assert [(error["field"], bool(error["expected"])) for error in errors] == [
        ("accessLevel", True),
        ("email", True),
    ]


async def test_a_field_that_is_not_declared_is_refused(call):
    with pytest.raises(Invalid):
        await call("account.me", whatever=1)


async def test_an_operation_says_what_stands_in_the_way(call):
    await call("account.create", email="ann@example.org")
    with pytest.raises(Conflict) as refused:
        await call("account.create", email="ann@example.org")
    assert refused.value.details == {"email": "ann@example.org"}
