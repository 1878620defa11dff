"""A peer that falls silent without closing is not waited for."""

import asyncio
import time

import pytest

from tests.hardness.clients import Refused, until

pytestmark = pytest.mark.slow

PING_S = 1.0
SILENT = {"enable_auto_pong": False}
MUCH = {"text": "x" * 256 * 1024}


async def test_a_silent_spoke_is_dropped_after_two_missed_pings(start, connect):
    hub = start(ping_s=PING_S)
    caller = await connect(hub)
    spoke = await connect(hub, **SILENT)
    began = time.monotonic()
    registered = await spoke.register("mute")
    hang = registered["operations"][1]["operationId"]
    with pytest.raises(Refused) as refused:
        await caller.call(hang)
    assert refused.value.code == "ABORTED"
    assert refused.value.details["reason"] == "callee_left"
    assert PING_S <= time.monotonic() - began < 4 * PING_S + 2
    await until(lambda: hub.metric("connections") == 1)
    async with asyncio.timeout(20):
        # The hub notes it a moment later.
        while not (gone := (await caller.call("spoke.list", {"status": "disconnected"}))["items"]):
            pass
    assert [seen["name"] for seen in gone] == ["mute"]


async def test_a_silent_peer_that_has_much_to_read_is_dropped_just_as_soon(start, connect):
    hub = start(ping_s=PING_S)
    caller = await connect(hub)
    sockets = hub.sockets()
    spoke = await connect(hub, **SILENT)
    echo = (await spoke.register("mute"))["operations"][0]["operationId"]
    spoke.pause()
    # More than its socket takes, less than it may leave unread.
    calls = [asyncio.create_task(caller.frame(echo, MUCH)) for _ in range(28)]
    ended = await asyncio.wait_for(asyncio.gather(*calls), 10)
    assert {frame["payload"]["details"]["reason"] for frame in ended} == {"callee_left"}
    await until(lambda: hub.sockets() <= sockets)
    assert hub.metric("peers_too_slow_total") == 0


async def test_a_peer_that_answers_pings_may_be_silent_otherwise(start, connect):
    hub = start(ping_s=PING_S)
    quiet = await connect(hub)
    await asyncio.sleep(4 * PING_S)
    assert not quiet.left.done()
    assert (await quiet.call("account.me"))["email"] == "owner@localhost"


async def test_a_connection_that_never_says_what_it_wants_is_closed(start):
    hub = start()
    host, _, port = hub.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"GET /ws HT")
        async with asyncio.timeout(15):
            assert await reader.read() == b""
    finally:
        writer.close()
