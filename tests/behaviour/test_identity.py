"""Who is let in, and what is written down about it."""

import asyncio
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from math import ceil
from time import monotonic

import httpx2
import pytest
from sqlalchemy import delete

from hubbub.identity.tables import accounts, api_keys
from hubbub.kernel.errors import (
    AccessDenied,
    Conflict,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from hubbub.storage.transaction import ConstraintViolated
from hubbub.tables import metadata
from tests.support.hub import served
from tests.support.peer import Closed

EARLIER = "2020-01-01T00:00:00Z"
LATER = "2100-01-01T00:00:00Z"


@pytest.fixture
def somebody(hub, door):
    """A new account: its id, the id of its key, and a call with that key."""

    async def somebody(*scopes, email="ann@example.org", **key):
        owner = hub.door()
        account = await owner("account.create", email=email)
        made = await owner("apiKey.create", ownerId=account["id"], scopes=scopes, **key)
        return account["id"], made["key"]["id"], hub.door(door, made["secret"])

    return somebody


async def test_nobody_gets_in_by_a_key_that_nobody_made(call):
    with pytest.raises(Unauthenticated):
        await call.through("hub_no-such-key")("account.me")


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_nobody_gets_in_without_a_key(call):
    with pytest.raises(Unauthenticated):
        await call.through("")("account.me")


async def test_a_key_lets_in_its_account(somebody):
    account, _, call = await somebody()
    assert (await call("account.me"))["id"] == account


@pytest.mark.parametrize("status", ["suspended", "deactivated"])
async def test_an_account_that_is_not_active_is_let_in_by_no_door_from_then_on(
    hub, somebody, status
):
    account, _, call = await somebody()
    await call("account.me")
    await hub.door()("account.setStatus", id=account, status=status)
    with pytest.raises(Unauthenticated):
        await call("account.me")
    await hub.door()("account.setStatus", id=account, status="active")
    assert (await call("account.me"))["id"] == account


async def test_a_disabled_key_lets_nobody_in_until_it_is_enabled_again(hub, somebody):
    account, key, call = await somebody()
    await call("account.me")
    await hub.door()("apiKey.setEnabled", id=key, enabled=False)
    with pytest.raises(Unauthenticated):
        await call("account.me")
    await hub.door()("apiKey.setEnabled", id=key, enabled=True)
    assert (await call("account.me"))["id"] == account


async def test_a_revoked_key_lets_nobody_in(hub, somebody):
    _, key, call = await somebody()
    await call("account.me")
    await hub.door()("apiKey.revoke", id=key)
    with pytest.raises(Unauthenticated):
        await call("account.me")


async def test_an_expired_key_lets_nobody_in(somebody):
    _, _, call = await somebody(expiresAt=EARLIER)
    with pytest.raises(Unauthenticated):
        await call("account.me")


async def test_a_rotated_key_lets_nobody_in_and_points_to_the_one_that_does(hub, somebody):
    account, key, call = await somebody("calls:read")
    made = await hub.door()("apiKey.rotate", id=key)
    with pytest.raises(Unauthenticated):
        await call("account.me")
    again = hub.following(call.through(made["secret"]))
    assert (await again("account.me"))["id"] == account
    old, new = sorted(
        (await again("apiKey.list"))["items"], key=lambda each: each["rotatedToId"] is None
    )
    assert (old["id"], old["rotatedToId"], new["rotatedToId"]) == (key, made["key"]["id"], None)
    assert old["revokedAt"] is not None
    assert new["scopes"] == ["calls:read"]


@pytest.mark.parametrize("door", ["http", "websocket"], indirect=True)
async def test_a_key_may_rotate_itself_and_the_secret_arrives(hub, somebody):
    account, key, call = await somebody()
    made = await call("apiKey.rotate", id=key)
    assert (await hub.door(key=made["secret"])("account.me"))["id"] == account


async def test_the_connection_of_a_revoked_key_is_ended(hub):
    owner = hub.door()
    account = await owner("account.create", email="ann@example.org")
    made = await owner("apiKey.create", ownerId=account["id"])
    peer = await hub.connect(made["secret"])
    await owner("apiKey.revoke", id=made["key"]["id"])
    assert await peer.closed() == 4001


async def test_the_connections_of_a_suspended_account_are_ended_and_no_others(hub):
    owner = hub.door()
    account = await owner("account.create", email="ann@example.org")
    one = await hub.connect((await owner("apiKey.create", ownerId=account["id"]))["secret"])
    two = await hub.connect((await owner("apiKey.create", ownerId=account["id"]))["secret"])
    other = await hub.connect()
    await owner("account.setStatus", id=account["id"], status="suspended")
    assert (await one.closed(), await two.closed()) == (4001, 4001)
    assert (await other.call("account.me"))["email"] == "owner@localhost"


@pytest.mark.slow
async def test_a_connection_ends_when_its_key_expires(hub):
    owner = hub.door()
    account = await owner("account.create", email="ann@example.org")
    # Where this machine is too busy to connect in time, the key has to last longer.
    for lasts_s in (0.5, 2, 4):
        now = (await owner.envelope("account.me", {}))["meta"]["timestamp"] / 1000
        expiry = datetime.fromtimestamp(now + lasts_s, UTC).isoformat()
        made = await owner("apiKey.create", ownerId=account["id"], expiresAt=expiry)
        with suppress(Closed):
            peer = await hub.connect(made["secret"])
            break
    assert await peer.closed() == 4001


async def test_a_key_that_changes_while_it_opens_the_door_does_not_open_it(hub):
    owner = hub.door()
    account = await owner("account.create", email="ann@example.org")
    made = await owner("apiKey.create", ownerId=account["id"])
    entering = [asyncio.create_task(hub.door(key=made["secret"])("account.me")) for _ in range(8)]
    await owner("apiKey.revoke", id=made["key"]["id"])
    await asyncio.wait(entering)
    for task in entering:
        assert task.exception() is None or isinstance(task.exception(), Unauthenticated)
    with pytest.raises(Unauthenticated):
        await hub.door(key=made["secret"])("account.me")


async def test_a_secret_is_in_the_answer_and_nowhere_else(hub, call):
    made = await call("apiKey.create", name="laptop", scopes=["calls:read"])
    rotated = await call("apiKey.rotate", id=made["key"]["id"])
    wrapped = await call("call.run", operation="apiKey.create", input={"name": "phone"})
    secrets = [made["secret"], rotated["secret"], wrapped["data"]["secret"], hub.key]
    async with aclosing(
        hub.door().answers("call.stream", operation="apiKey.create", input={"name": "watch"})
    ) as answers:
        async for answer in answers:
            secrets.append(answer["data"]["secret"])
    await hub.written()
    kept = await everything(hub)
    assert [secret for secret in secrets if secret.removeprefix("hub_") in kept] == []
    assert len(set(secrets)) == 5


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_what_is_wrong_with_a_secret_input_is_told_and_not_kept(hub, call):
    with pytest.raises(Invalid):
        await call("apiKey.create", name=["a-secret-of-mine"])
    await hub.written()
    assert "a-secret-of-mine" not in await everything(hub)


async def test_a_password_that_was_taken_for_a_key_is_not_written_down(hub, call):
    with pytest.raises(Unauthenticated):
        await call.through("hunter2")("account.me")
    assert "hunter2" not in await everything(hub)


async def test_nobody_gives_what_they_do_not_have(somebody):
    _, _, call = await somebody("calls:read", resources={"task:1": ["read"]})
    with pytest.raises(AccessDenied) as refused:
        await call(
            "apiKey.create",
            scopes=["calls:read", "calls:write"],
            resources={"task:1": ["read", "write"]},
        )
    assert refused.value.details == {"scopes": ["calls:write"], "resources": ["task:1"]}
    made = await call("apiKey.create", scopes=["calls:read"], resources={"task:1": ["read"]})
    assert made["key"]["scopes"] == ["calls:read"]


async def test_a_key_does_not_rotate_into_one_that_may_more(hub, somebody):
    account, _, call = await somebody("calls:read")
    strong = await hub.door()("apiKey.create", ownerId=account, scopes=["calls:write"])
    with pytest.raises(AccessDenied) as refused:
        await call("apiKey.rotate", id=strong["key"]["id"])
    assert refused.value.details == {"scopes": ["calls:write"], "resources": []}


async def test_a_key_does_not_enable_one_that_may_more(hub, somebody):
    account, _, call = await somebody("calls:read")
    strong = await hub.door()("apiKey.create", ownerId=account, scopes=["calls:write"])
    await hub.door()("apiKey.setEnabled", id=strong["key"]["id"], enabled=False)
    with pytest.raises(AccessDenied):
        await call("apiKey.setEnabled", id=strong["key"]["id"], enabled=True)


async def test_keys_of_others_are_not_touched_nor_seen(hub, somebody):
    _, theirs, _ = await somebody(email="bob@example.org")
    _, mine, call = await somebody()
    for operation in ("apiKey.revoke", "apiKey.rotate"):
        with pytest.raises(AccessDenied) as refused:
            await call(operation, id=theirs)
        assert refused.value.details == {"key": theirs}
    owner = (await hub.door()("account.me"))["id"]
    assert [key["id"] for key in (await call("apiKey.list", ownerId=owner))["items"]] == [mine]


async def test_keys_for_others_are_made_by_those_who_are_in_charge(hub, somebody):
    owner = (await hub.door()("account.me"))["id"]
    _, _, call = await somebody("calls:read")
    with pytest.raises(AccessDenied) as refused:
        await call("apiKey.create", ownerId=owner)
    assert refused.value.details == {"owner": owner}


async def test_a_key_needs_an_account(call):
    with pytest.raises(NotFound) as refused:
        await call("apiKey.create", ownerId="nobody")
    assert refused.value.details == {"account": "nobody"}


async def test_a_revoked_key_is_not_rotated(hub, somebody):
    _, key, _ = await somebody()
    await hub.door()("apiKey.revoke", id=key)
    with pytest.raises(Conflict) as refused:
        await hub.door()("apiKey.rotate", id=key)
    assert refused.value.details == {"key": key}


async def test_nobody_locks_themselves_out(call):
    me = (await call("account.me"))["id"]
    with pytest.raises(Conflict) as refused:
        await call("account.setStatus", id=me, status="suspended")
    assert refused.value.details == {"account": me}


async def test_an_account_has_an_address(hub):
    for email in ("", "ann", "ann @example.org", "ann@", "@example.org", "a@" + "x" * 300):
        with pytest.raises(Invalid) as refused:
            await hub.door()("account.create", email=email)
        assert [error["field"] for error in refused.value.details["errors"]] == ["email"]


async def test_a_moment_has_a_time_zone(hub):
    for moment in ("2100-01-01T00:00:00", "2100-01-01", "soon", 5):
        with pytest.raises(Invalid) as refused:
            await hub.door()("apiKey.create", expiresAt=moment)
        assert [error["field"] for error in refused.value.details["errors"]] == ["expiresAt"]


async def test_every_step_of_a_key_is_in_the_trail(call):
    me = (await call("account.me"))["id"]
    ann = await call("account.create", email="ann@example.org")
    made = await call("apiKey.create", ownerId=ann["id"], scopes=["calls:read"])
    key = made["key"]["id"]
    await call("apiKey.setEnabled", id=key, enabled=False)
    await call("apiKey.setEnabled", id=key, enabled=True)
    rotated = (await call("apiKey.rotate", id=key))["key"]["id"]
    await call("apiKey.revoke", id=rotated)
    await call("account.setStatus", id=ann["id"], status="deactivated")
    trail = (await call("audit.list", ownerId=me))["items"]
    scopes = ["calls:read"]
    rotation = {"key": rotated, "replaces": key, "owner": ann["id"], "scopes": scopes}
    assert [(entry["action"], entry["details"]) for entry in reversed(trail)][1:] == [
        ("account.created", {"account": ann["id"], "email": "ann@example.org"}),
        ("apiKey.created", {"key": key, "owner": ann["id"], "scopes": scopes}),
        ("apiKey.disabled", {"key": key, "owner": ann["id"]}),
        ("apiKey.enabled", {"key": key, "owner": ann["id"]}),
        ("apiKey.rotated", rotation),
        ("apiKey.revoked", {"key": rotated, "owner": ann["id"]}),
        ("account.status", {"account": ann["id"], "status": "deactivated"}),
    ]
    assert {(entry["ownerId"], entry["keyId"]) for entry in trail} == {(me, trail[0]["keyId"])}


async def test_who_was_turned_away_is_in_the_trail(hub, somebody):
    account, key, call = await somebody()
    await hub.door()("apiKey.revoke", id=key)
    with pytest.raises(Unauthenticated):
        await call("account.me")
    with pytest.raises(Unauthenticated):
        await call.through("hub_" + "x" * 43)("account.me")
    unknown, known = (await hub.door()("audit.list", action="auth.failed"))["items"]
    assert (known["ownerId"], known["keyId"], known["details"]["why"]) == (
        account,
        key,
        "key revoked",
    )
    assert (unknown["keyId"], unknown["details"]) == (
        None,
        {"why": "unknown key", "address": "127.0.0.1", "prefix": "hub_xxxxxxxx"},
    )


async def test_the_trail_is_changed_by_no_operation(hub):
    about_trail = [
        operation.spec for operation in hub.house.operations if operation.spec.namespace == "audit"
    ]
    assert [(spec.id, spec.type) for spec in about_trail] == [("audit.list", "query")]


async def test_the_trail_is_read_by_those_who_may(caller_with):
    call = await caller_with("accounts:read")
    with pytest.raises(AccessDenied):
        await call("audit.list")


@pytest.mark.parametrize("door", ["direct", "http", "websocket"], indirect=True)
async def test_who_tries_too_many_keys_has_to_wait(hub, call):
    for n in range(10):
        with pytest.raises(Unauthenticated):
            await hub.door(key=f"hub_{n}")("account.me")
    with pytest.raises(RateLimited):
        await call.through("hub_10")("account.me")


async def test_nobody_is_kept_out_by_others_who_try_keys_at_the_same_address(hub, call):
    for n in range(11):
        with pytest.raises((Unauthenticated, RateLimited)):
            await hub.door(key=f"hub_{n}")("account.me")
    assert (await call("account.me"))["email"] == "owner@localhost"


async def test_who_has_to_wait_does_not_fill_the_trail(hub):
    for n in range(15):
        with pytest.raises((Unauthenticated, RateLimited)):
            await hub.door(key=f"hub_{n}")("account.me")
    assert len((await hub.door()("audit.list", action="auth.failed"))["items"]) == 10


async def test_how_long_to_wait_is_said(hub):
    began = monotonic()
    async with httpx2.AsyncClient(base_url=hub.url, verify=False) as http:
        for n in range(11):
            answer = await http.get("/v1/account/me", headers={"Authorization": f"Bearer hub_{n}"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "RATE_LIMITED")
    # A minute from the first one on.
    wait_ms = error["details"]["retryAfterMs"]
    assert 59_999 - (monotonic() - began) * 1000 <= wait_ms <= 60_000
    assert answer.headers["Retry-After"] == str(ceil(wait_ms / 1000))


async def test_a_refused_request_says_how_to_show_a_key(hub):
    async with httpx2.AsyncClient(base_url=hub.url, verify=False) as http:
        answer = await http.get("/v1/account/me")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Bearer realm="hubbub"',
    )


async def test_a_connection_without_a_key_is_told_why_it_ends(hub):
    with pytest.raises(Closed) as closed:
        await hub.connect("")
    assert (closed.value.code, closed.value.reason) == (
        4001,
        "UNAUTHENTICATED: a key is required",
    )


async def test_an_account_in_the_trail_is_not_deleted_and_one_that_did_nothing_takes_its_keys(hub):
    owner = hub.door()
    me = (await owner("account.me"))["id"]
    ann = (await owner("account.create", email="ann@example.org"))["id"]
    await owner("apiKey.create", ownerId=ann)
    keys = (await hub.count(api_keys))["api_keys"]
    database = hub.house.database
    with pytest.raises(ConstraintViolated):
        await database.write(lambda tx: tx.execute(delete(accounts).where(accounts.c.id == me)))
    await database.write(lambda tx: tx.execute(delete(accounts).where(accounts.c.id == ann)))
    assert (await owner("account.me"))["id"] == me
    assert (await hub.count(api_keys))["api_keys"] == keys - 1


async def test_a_hub_makes_its_owners_key_once(new_database):
    with new_database(None) as url:
        async with served(url, "") as hub:
            first = hub.house.first_key
            assert first is not None
            entries = (await hub.door()("audit.list"))["items"]
            assert [entry["action"] for entry in entries] == ["owner.created"]
        async with served(url, first) as hub:
            assert hub.house.first_key is None
            assert (await hub.door()("account.me"))["accessLevel"] == "admin"


async def everything(hub):
    """All that is kept in the tables, as text."""
    kept = [repr(await hub.rows(table)) for table in metadata.sorted_tables]
    return "".join(kept)


async def test_a_key_that_ends_makes_none_that_lasts_longer(hub, somebody):
    soon = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    account, _, call = await somebody(expiresAt=soon.isoformat())
    lasting = await hub.door()("apiKey.create", ownerId=account)
    made = await call("apiKey.create")
    later = await call("apiKey.create", expiresAt=LATER)
    rotated = await call("apiKey.rotate", id=lasting["key"]["id"])
    ends = [datetime.fromisoformat(each["key"]["expiresAt"]) for each in (made, later, rotated)]
    assert ends == [soon, soon, soon]
