"""Secrets are in clear for the connections that need them, and nowhere else."""

import logging
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import AccessDenied, Invalid, NotFound
from hubbub.services import store
from hubbub.services.encryption import KeyMissing, Unreadable, new_entry
from hubbub.services.model import HttpApi, McpServer
from hubbub.services.tables import client_secrets, clients
from hubbub.tables import metadata
from tests.support.doors import DOORS
from tests.support.hub import until

pytestmark = pytest.mark.slow

DIALLED = {
    "transport": "sse",
    "url": "${secret:URL}",
    "headers": {"Authorization": "Bearer ${secret:TOKEN}", "X-Team": "${TEAM:-a}"},
}
RUN = {"transport": "stdio", "command": "mcp-server-time"}
# The hub itself would read the secrets of those that it is to connect to.
TIME = {"name": "time", "type": "mcp-server", "config": RUN, "enabled": False}
REMOTE = {**TIME, "name": "a", "config": DIALLED}
HUSH = "hush-0c5d2d7b9a"


async def client(hub, name):
    async with hub.house.database.reading() as tx:
        return await store.find(tx, name)


async def versions(hub):
    """Under which key each secret is."""
    return {row["key"]: row["value"]["keyVersion"] for row in await hub.rows(client_secrets)}


def rotate(key_path, version):
    """Put a new key before the others."""
    key_path.write_text(f"{new_entry(version)}\n{key_path.read_text()}")


async def test_a_connection_is_told_all_secrets_that_are_still_good(keyed, opens):
    async with keyed() as hub:
        call = hub.door()
        made = await call("client.create", **TIME, secrets={"A": "1", "B": "2"})
        soon = utc_now() + timedelta(hours=1)
        await call("client.setSecret", client="time", key="B", value=HUSH)
        await call(
            "client.setSecret", client="time", key="C", value="3", expiresAt=soon.isoformat()
        )
        assert await opens(hub).of(made["id"]) == {"A": "1", "B": HUSH, "C": "3"}
        assert await opens(hub, lambda: soon).of(made["id"]) == {"A": "1", "B": HUSH}


async def test_references_are_resolved_and_variables_are_left_alone(keyed, opens):
    async with keyed() as hub:
        call = hub.door()
        secrets = {"TOKEN": HUSH, "URL": "https://example.org/mcp"}
        await call(
            "client.create",
            **REMOTE,
            secrets=secrets,
        )
        assert await opens(hub).resolved(await client(hub, "a")) == McpServer(
            transport="sse",
            url="https://example.org/mcp",
            headers={"Authorization": f"Bearer {HUSH}", "X-Team": "${TEAM:-a}"},
        )
        config = {"baseUrl": "http://127.0.0.1:1", "query": {"key": "${secret:KEY}"}}
        await call(
            "client.create",
            name="b",
            type="http-api",
            enabled=False,
            config=config,
            secrets={"KEY": "k"},
        )
        resolved = await opens(hub).resolved(await client(hub, "b"))
        assert resolved == HttpApi(base_url="http://127.0.0.1:1", query={"key": "k"})
        await call(
            "client.create",
            name="c",
            type="vcs",
            enabled=False,
            config={"x": ["${secret:Y}"]},
            secrets={"Y": "z"},
        )
        assert await opens(hub).resolved(await client(hub, "c")) == {"x": ["z"]}


async def test_what_is_missing_or_has_expired_is_named(keyed, opens):
    async with keyed() as hub:
        call = hub.door()
        await call("client.create", **REMOTE)
        past = (utc_now() - timedelta(seconds=1)).isoformat()
        await call("client.setSecret", client="a", key="TOKEN", value=HUSH, expiresAt=past)
        with pytest.raises(NotFound) as refused:
            await opens(hub).resolved(await client(hub, "a"))
        details = refused.value.details
        assert (details["missing"], details["expired"]) == (["URL"], ["TOKEN"])
        assert HUSH not in str(details)


async def test_a_secret_that_does_not_fit_where_it_goes_is_not_told(keyed, opens):
    async with keyed() as hub:
        secrets = {"TOKEN": "t", "URL": HUSH}
        await hub.door()(
            "client.create",
            **REMOTE,
            secrets=secrets,
        )
        with pytest.raises(Invalid) as refused:
            await opens(hub).resolved(await client(hub, "a"))
        assert refused.value.details["errors"][0]["field"] == "config.url"
        assert HUSH not in str(refused.value.details) + refused.value.message


async def test_a_value_copied_to_another_client_is_not_read_there(keyed, opens):
    async with keyed() as hub:
        call = hub.door()
        for name in ("mine", "yours"):
            await call(
                "client.create",
                **{**TIME, "name": name},
                secrets={"A": name},
            )
        mine, yours = await client(hub, "mine"), await client(hub, "yours")
        (stolen,) = [
            r["value"] for r in await hub.rows(client_secrets) if r["client_id"] == mine.id
        ]

        async def copy(tx):
            theirs = client_secrets.c.client_id == yours.id
            await tx.execute(update(client_secrets).where(theirs).values(value=stolen))

        await hub.house.database.write(copy)
        with pytest.raises(Unreadable):
            await opens(hub).of(yours.id)


@pytest.mark.slow
async def test_a_secret_that_is_read_after_a_rotation_is_stored_under_the_new_key(
    keyed, opens, key_path
):
    async with keyed() as hub:
        secrets = {"A": "1", "B": "2"}
        made = await hub.door()("client.create", **TIME, secrets=secrets)
        listed = await hub.door()("client.listSecrets", client="time")
        assert await versions(hub) == {"A": 1, "B": 1}
    rotate(key_path, 2)
    async with keyed() as hub:
        assert await opens(hub).of(made["id"]) == secrets
        assert await versions(hub) == {"A": 2, "B": 2}
        # They are the secrets that they were.
        assert await hub.door()("client.listSecrets", client="time") == listed
        await hub.door()("client.setSecret", client="time", key="C", value="3")
    key_path.write_text(key_path.read_text().splitlines()[0])
    async with keyed() as hub:
        assert await opens(hub).of(made["id"]) == {**secrets, "C": "3"}


async def test_a_secret_that_is_set_while_it_is_encrypted_anew_stays_as_it_was_set(keyed, opens):
    async with keyed() as hub:
        call = hub.door()
        made = await call("client.create", **TIME, secrets={"A": "old"})
        async with hub.house.database.reading() as tx:
            (before,) = await store.secrets(tx, made["id"])
        anew = (await opens(hub).encrypted(made["id"], {"A": "old"}))["A"]
        await call("client.setSecret", client="time", key="A", value="new")
        renewed = {before.id: (before, anew)}
        assert await hub.house.database.write(lambda tx: store.reencrypted(tx, renewed)) == 0
        assert await opens(hub).of(made["id"]) == {"A": "new"}


@pytest.mark.slow
async def test_all_are_brought_under_the_new_key_batch_by_batch(keyed, opens, key_path):
    secrets = {name: name.lower() for name in "ABCDE"}
    async with keyed() as hub:
        made = await hub.door()("client.create", **TIME, secrets=secrets)
    rotate(key_path, 2)
    async with keyed() as hub:
        call = hub.door()
        first = await call("client.reencrypt", limit=3)
        assert (first["examined"], first["reencrypted"], first["lost"]) == (3, 3, [])
        assert sorted((await versions(hub)).values()) == [1, 1, 2, 2, 2]
        second = await call("client.reencrypt", limit=3, cursor=first["nextCursor"])
        assert second == {"examined": 2, "reencrypted": 2, "lost": [], "nextCursor": None}
        assert set((await versions(hub)).values()) == {2}
        again = await call("client.reencrypt")
        assert again == {"examined": 5, "reencrypted": 0, "lost": [], "nextCursor": None}
        assert await opens(hub).of(made["id"]) == secrets


async def test_only_who_is_in_charge_has_everything_encrypted_anew(hub):
    other = hub.door(key=await hub.key_with("clients:read", "clients:write"))
    with pytest.raises(AccessDenied):
        await other("client.reencrypt")


async def test_without_its_key_a_secret_is_lost_by_name_and_kept(keyed, opens, key_path, caplog):
    async with keyed() as hub:
        made = await hub.door()("client.create", **TIME, secrets={"A": HUSH})
        before = await hub.rows(client_secrets)
    kept = key_path.read_text()
    key_path.unlink()
    async with keyed() as hub:
        with pytest.raises(KeyMissing) as missing:
            await opens(hub).of(made["id"])
        assert missing.value.details["version"] == 1
        swept = await hub.door()("client.reencrypt")
        assert swept["lost"] == [{"client": made["id"], "key": "A", "keyVersion": 1}]
        assert await hub.rows(client_secrets) == before
        await told(caplog, "1 secrets need the key v1, which is not in the key file")
        # The new key has a number of its own, so that the old one can come back behind it.
        assert key_path.read_text().splitlines()[-1].startswith("v2:")
    key_path.write_text(f"{key_path.read_text()}{kept}")
    async with keyed() as hub:
        assert await opens(hub).of(made["id"]) == {"A": HUSH}


async def test_a_hub_does_not_start_with_keys_that_others_can_read(keyed, key_path):
    async with keyed():
        assert key_path.stat().st_mode & 0o777 == 0o600
    key_path.chmod(0o640)
    with pytest.raises(Invalid) as refused:
        async with keyed():
            pass
    assert refused.value.details["errors"][0]["field"] == "key_file"


async def test_the_keys_stay_from_start_to_start(keyed, key_path):
    async with keyed():
        first = key_path.read_text()
    async with keyed():
        assert key_path.read_text() == first


async def test_a_config_of_another_version_is_told_of_and_keeps_nobody_from_starting(keyed, caplog):
    async with keyed() as hub:
        await hub.door()("client.create", **{**TIME, "name": "odd"})

        async def age(tx):
            await tx.execute(update(clients).values(config=msgspec.Raw(b'{"transport": "smoke"}')))

        await hub.house.database.write(age)
    async with keyed() as hub:
        await told(caplog, "client odd: the config does not fit")
        assert (await hub.door()("client.get", client="odd"))["config"] == {"transport": "smoke"}


@pytest.mark.slow
async def test_a_secret_is_nowhere_in_clear(keyed, opens, database_url, caplog):
    caplog.set_level(logging.DEBUG)
    in_clear = {**RUN, "env": {"TOKEN": HUSH}}
    async with keyed() as hub:
        for door in DOORS:
            call = hub.door(door)
            await call(
                "client.create",
                **{**TIME, "name": door},
                secrets={"A": HUSH},
            )
            setting = {"client": door, "key": "B", "value": HUSH}
            await call("client.setSecret", **setting)
            await call("call.run", operation="client.setSecret", input=setting)
            for operation, input in [
                ("client.create", {"name": "x", "type": "mcp-server", "config": in_clear}),
                ("client.update", {"client": door, "config": in_clear}),
                ("client.setSecret", {"client": door, "key": "no name", "value": HUSH}),
                ("client.setSecret", {"client": door, "key": "A", "value": [HUSH]}),
                ("client.setSecret", {"client": "nobody", "key": "A", "value": HUSH}),
            ]:
                with pytest.raises((Invalid, NotFound)):
                    await call(operation, **input)
        assert HUSH in (await opens(hub).of((await client(hub, "http")).id)).values()
        await hub.written()
        kept = str([await hub.rows(table) for table in metadata.sorted_tables])
        assert ("client.secretSet" in kept, HUSH in kept) == (True, False)
        assert not in_files(HUSH, database_url)
    assert not in_files(HUSH, database_url)
    logged = [each.getMessage() for each in caplog.records if each.name.startswith("hubbub")]
    assert HUSH not in str(logged)


def in_files(text, url):
    """Which files of the database, its log among them, have a text in them."""
    if not url.startswith("sqlite:///"):
        return []
    files = list(Path(url.removeprefix("sqlite:///")).parent.iterdir())
    assert any(b"client.secretSet" in file.read_bytes() for file in files)
    return [file for file in files if text.encode() in file.read_bytes()]


async def told(caplog, text):
    """Wait until this is logged."""

    async def logged():
        return caplog.text

    await until(logged, lambda found: text in found)
