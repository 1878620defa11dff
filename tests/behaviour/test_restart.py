"""What a hub knows after it stopped, well or badly."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from hubbub.app import opened
from hubbub.kernel.errors import Conflict, HubError, Unavailable
from tests.support.hub import recorded, served, settings
from tests.support.peer import spec
from tests.support.services import execute

READ = spec("dev.fs", "read")


def copied(url, folder):
    """The URL of a copy of a SQLite file, as a crash at this moment would leave it."""
    path = Path(url.removeprefix("sqlite:///"))
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith(".lock"):
            shutil.copy(file, folder / file.name)
    return f"sqlite:///{folder / path.name}"


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_calls_that_a_crash_left_open_have_failed(hub, database_url, tmp_path):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    await caller.begin("dev.fs.read", {"path": "x"})
    asked = await spoke.asked()
    await recorded(hub.door(), asked["requestId"], "running")
    # The copy is what the file holds at this moment: nobody told it good-bye.
    async with served(copied(database_url, tmp_path), hub.key) as second:
        seen = await second.door()("call.get", id=asked["requestId"])
        assert (seen["status"], seen["input"], seen["error"]) == (
            "failed",
            {"path": "x"},
            {
                "code": "ABORTED",
                "message": "the hub stopped before the call ended",
                "details": {"reason": "hub_restart"},
            },
        )
        assert (await second.door()("call.list", status="running"))["items"] == []
        (laptop,) = (await second.door()("spoke.list"))["items"]
        assert laptop["status"] == "disconnected"


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_what_was_answered_is_in_the_file(hub, database_url, tmp_path):
    made = await hub.door()("account.create", email="ann@example.org")
    async with served(copied(database_url, tmp_path), hub.key) as second:
        assert await second.door()("account.get", id=made["id"]) == made


async def test_every_call_is_recorded_before_a_hub_stops(serve):
    async with serve() as hub:
        peer = await hub.connect()
        names = [await peer.begin("account.me") for _ in range(200)]
        ids = {(await peer.heard(name))["payload"]["callId"] for name in names}
    async with serve() as hub:
        page = await hub.door()("call.list", operation="account.me", limit=500)
        assert {item["id"] for item in page["items"] if item["status"] == "completed"} == ids


async def test_calls_in_flight_may_end_while_a_hub_stops(serve):
    async with serve(drain_s=5.0) as hub:
        spoke = await hub.spoke("laptop", READ)
        caller = await hub.connect()
        name = await caller.begin("dev.fs.read")
        asked = await spoke.asked()

        async def finish():
            told = await spoke.other("hub.drain")
            assert told == {"retryAfterMs": 500, "reason": "the hub is restarting"}
            with pytest.raises(Unavailable):
                await spoke.call("account.me")
            await spoke.answer(asked, "in time")
            return (await caller.heard(name))["payload"]["output"]["data"]

        finishing = asyncio.create_task(finish())
        await asyncio.sleep(0)
        await asyncio.gather(hub.house.drain(), finishing)
        assert finishing.result() == "in time"
        hub.house.sockets.close()
        assert {await caller.closed(), await spoke.closed()} == {1012}
    async with serve() as hub:
        assert (await hub.door()("call.get", id=asked["requestId"]))["status"] == "completed"


async def test_calls_that_do_not_end_in_time_end_with_the_hub(serve):
    async with serve(drain_s=0.05) as hub:
        spoke = await hub.spoke("laptop", READ)
        caller = await hub.connect()
        name = await caller.begin("dev.fs.read")
        asked = await spoke.asked()
        await hub.house.drain()
        frame = await caller.heard(name)
        assert (frame["payload"]["code"], frame["payload"]["details"]) == (
            "ABORTED",
            {"reason": "hub_restart"},
        )
    async with serve() as hub:
        seen = await hub.door()("call.get", id=asked["requestId"])
        assert (seen["status"], seen["error"]["details"]) == ("failed", {"reason": "hub_restart"})


async def test_a_hub_that_stops_says_that_it_is_not_ready(hub):
    async with httpx2.AsyncClient(base_url=hub.url, verify=False) as http:
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        hub.house.router.drain()
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["parts"]["calls"]) == (
            503,
            {"ready": False, "detail": "draining"},
        )
        assert (await http.get("/health")).status_code == 200
        refused = await http.post("/v1/account/me", headers={"Authorization": f"Bearer {hub.key}"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "UNAVAILABLE")
        assert refused.headers["Retry-After"] == "1"


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_second_hub_on_the_same_file_is_refused_and_told_whose_it_is(hub, database_url):
    with pytest.raises(Conflict) as refused:
        async with opened(settings(database_url)):
            pass
    assert refused.value.details == {
        "database": database_url.removeprefix("sqlite:///"),
        "process": str(os.getpid()),
    }
    assert await hub.door()("account.me")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_hub_outlives_a_database_that_is_away_for_a_moment(hub, postgres_server):
    server = postgres_server
    name = urlsplit(hub.house.settings.database).path[1:]
    spoke = await hub.spoke("laptop", READ)
    await hub.written()
    execute(
        server,
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    await spoke.leave()
    with pytest.raises(HubError):
        await hub.door()("account.me")
    async with httpx2.AsyncClient(base_url=hub.url, verify=False) as http:
        assert (await http.get("/ready")).status_code == 503
        assert (await http.get("/health")).status_code == 200
    execute(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    async with asyncio.timeout(5):
        while True:
            try:
                assert (await hub.door()("account.me"))["email"] == "owner@localhost"
                break
            except HubError:
                await asyncio.sleep(0.05)
    peer = await hub.connect()
    assert json.dumps(await peer.call("account.me"))


async def test_a_second_hub_is_turned_away_from_the_same_database(serve):
    async with serve() as hub:
        with pytest.raises(Conflict):
            async with opened(settings(hub.house.settings.database)):
                pass
        # The first one goes on as if nothing had been.
        assert (await hub.door()("account.me"))["email"] == "owner@localhost"
