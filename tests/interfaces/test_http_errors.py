"""Over HTTP every failure has one body, and the status of its code."""

import asyncio

import pytest

from hubbub.kernel.errors import Invalid
from tests.support.peer import spec


@pytest.fixture
def dialect():
    return "sqlite"


def declared(code, status):
    return {"code": code, "description": "it went wrong", "httpStatus": status}


async def status_of(hub, operation, code, **details):
    """The status of a call that a spoke fails with `code`."""
    peer = await hub.spoke("machine", operation)
    asking = asyncio.create_task(hub.door("http").client.post("/v1/test/fail"))
    asked = await peer.asked()
    await peer.fail(asked, code, **details)
    answer = await asking
    assert answer.json()["error"]["code"] == code
    return answer.status_code


async def test_a_code_of_an_operations_own_has_the_status_that_it_declares(hub):
    operation = spec("test", "fail", errorSchemas=[declared("OUT_OF_PAPER", 409)])
    assert await status_of(hub, operation, "OUT_OF_PAPER") == 409


async def test_a_code_of_the_hub_keeps_its_status(hub):
    operation = spec("test", "fail", errorSchemas=[declared("NOT_FOUND", 410)])
    assert await status_of(hub, operation, "NOT_FOUND") == 404


async def test_a_provider_chooses_no_status_that_it_did_not_declare(hub):
    assert await status_of(hub, spec("test", "fail"), "OUT_OF_PAPER", httpStatus=200) == 500


async def test_a_declared_status_is_one_of_failure(hub):
    with pytest.raises(Invalid) as refused:
        await hub.spoke("machine", spec("test", "fail", errorSchemas=[declared("ODD", 200)]))
    assert "httpStatus" in refused.value.details["errors"][0]["field"]


async def test_openapi_says_the_status_that_is_answered(hub):
    await hub.spoke("machine", spec("test", "fail", errorSchemas=[declared("OUT_OF_PAPER", 409)]))
    document = (await hub.door("http").client.get("/openapi.json")).json()
    (path,) = (each for each in document["paths"] if each.endswith("/fail"))
    assert "OUT_OF_PAPER" in document["paths"][path]["post"]["responses"]["409"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "NOT_FOUND"),
        ("PUT", "/v1/account/me", {}, 405, "VALIDATION_ERROR"),
        ("GET", "/v1/account/me", {"Host": "evil.example"}, 403, "ACCESS_DENIED"),
        ("GET", "/v1/account/me", {"Origin": "http://evil.example"}, 403, "ACCESS_DENIED"),
    ],
)
async def test_what_is_no_call_fails_alike(hub, method, path, headers, status, code):
    answer = await hub.door("http").client.request(method, path, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], sorted(error)) == (
        status,
        code,
        ["code", "details", "message"],
    )
