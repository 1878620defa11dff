"""What a provider says and what becomes of a key, as HTTP shows it."""

import asyncio
from contextlib import aclosing

import httpx2
import pytest

from hubbub.kernel.errors import Aborted
from tests.support.hub import until
from tests.support.peer import spec


@pytest.fixture
async def asking(hub):
    """Ask for an operation of a spoke over HTTP: the request, and what the spoke is asked."""
    spoke = await hub.spoke("machine", spec("odd", "say"))
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers, timeout=5) as client:

        async def ask():
            request = asyncio.create_task(client.post("/v1/odd/say"))
            return request, spoke, await spoke.asked()

        yield ask


@pytest.mark.parametrize("status", [True, -1, 0, 100, 101, 200, 204, 304, 399, 600, 999, 10**9])
async def test_a_failure_is_told_by_a_status_that_is_one(asking, status):
    request, spoke, asked = await asking()
    await spoke.fail(asked, "ODD", httpStatus=status)
    assert (await request).status_code == 500


async def test_a_failure_has_the_status_that_its_provider_names(asking):
    request, spoke, asked = await asking()
    await spoke.fail(asked, "ODD", httpStatus=418)
    assert (await request).status_code == 418


@pytest.mark.parametrize("ms", [-1, 10**12])
async def test_a_pause_that_nobody_would_wait_for_is_not_passed_on(asking, ms):
    request, spoke, asked = await asking()
    await spoke.fail(asked, "BUSY", retryAfterMs=ms)
    assert "Retry-After" not in (await request).headers


@pytest.fixture
async def following(hub):
    """Somebody who looks on over HTTP: the id of their key, and what they will hear next."""
    owner = hub.door("http")
    account = await owner("account.create", email="ann@example.org")
    made = await owner("apiKey.create", ownerId=account["id"], scopes=["calls:read"])
    async with aclosing(hub.door("http", made["secret"]).events("call.follow", {})) as events:
        assert (await anext(events))[0] == "began"
        yield account["id"], made["key"]["id"], events


async def last_error(events):
    async with asyncio.timeout(5):
        async for kind, data in events:
            if kind == "error":
                return data["code"]
    return None


async def test_a_stream_ends_with_the_key_that_it_was_asked_for_with(hub, following):
    _, key, events = following
    await hub.door("http")("apiKey.revoke", id=key)
    assert await last_error(events) == Aborted.code


async def test_a_stream_ends_when_its_account_is_suspended(hub, following):
    account, _, events = following
    await hub.door("http")("account.setStatus", id=account, status="suspended")
    assert await last_error(events) == Aborted.code


async def test_a_key_that_ends_while_the_input_comes_begins_nothing(hub):
    owner = hub.door()
    made = await owner("apiKey.create")

    async def input():
        yield b"{"
        await until(lambda: owner("apiKey.list"), entered)
        await owner("apiKey.revoke", id=made["key"]["id"])
        yield b"}"

    def entered(page):
        return all(key["lastUsedAt"] for key in page["items"] if key["id"] == made["key"]["id"])

    headers = {"Authorization": f"Bearer {made['secret']}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:
        answer = await client.post("/v1/account/me", content=input())
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


async def test_nothing_is_begun_by_head(hub):
    spoke = await hub.spoke("machine", spec("odd", "say", "mutation"))
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:
        answer = await client.head("/v1/odd/say", timeout=5)
        assert answer.status_code == 405
        assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "POST"]
        asking = asyncio.create_task(client.post("/v1/odd/say"))
        await spoke.answer(await spoke.asked(), "said once")
        assert (await asking).json()["data"] == "said once"


async def test_a_definition_of_an_older_draft_leaves_the_document_whole(hub):
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "$defs": 5,
        "properties": {"a": {"$ref": "#/definitions/b"}},
        "definitions": {"b": {"type": "string"}},
    }
    more = {"inputSchema": schema, "outputSchema": schema}
    await hub.spoke("machine", spec("odd", "one", **more), spec("odd", "two", **more))
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:
        assert (await client.get("/openapi.json")).status_code == 200
    assert len((await hub.door()("operation.graph", namespace="odd"))["nodes"]) == 2


async def test_a_peer_is_not_cut_off_for_one_frame_that_is_larger_than_its_budget(serve):
    async with serve(peer_bytes_max=65536) as hub:
        spoke = await hub.spoke("machine", spec("odd", "say"))
        caller = await hub.connect()
        name = await caller.begin("odd.say", {"text": "x" * 900_000})
        await spoke.answer(await spoke.asked(), "y" * 900_000)
        assert (await caller.heard(name))["type"] == "call.responded"
        assert hub.house.sockets.slow_peers == 0


async def test_nobody_alone_can_keep_all_others_from_the_hub(hub, monkeypatch):
    monkeypatch.setattr("hubbub.calls.local.ACCOUNT_CALLS_MAX", 3)
    eve = await hub.connect(await hub.key_with())
    names = [await eve.begin("call.follow") for _ in range(4)]
    heard = await eve.heard(names[3])
    while heard["type"] == "call.responded":
        heard = await eve.heard(names[3])
    assert (heard["type"], heard["payload"]["code"]) == ("call.error", "BUSY")
    assert (await hub.door()("account.me"))["accessLevel"] == "admin"
    await eve.leave()
