"""What the hub has answered for survives its being killed at any moment."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import suppress
from datetime import datetime

import pytest

from hubbub.client import Spoke
from hubbub.client.backoff import Backoff
from hubbub.kernel.clock import utc_now
from tests.hardness.clients import Client, Refused, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

CYCLES = 8
CYCLES_POSTGRES = 4
CALLERS = 12
LOAD_S = (0.0, 0.8)
BACK_S = 15.0
OPEN = ("pending", "running")
ENDED = ("completed", "failed", "aborted")


class Answered:
    """What the hub has said, and must never take back."""

    def __init__(self):
        self.calls = {}  # id: status
        self.operations = set()
        self.hanging = set()
        self.spoke = None
        self.epoch = 0
        self.cut_short = 0

    def saw(self, call):
        """A call record as the hub shows it. Its status may go on, never back."""
        before = self.calls.get(call["id"], "pending")
        if before in ENDED:
            assert call["status"] == before, call
        elif before == "running":
            assert call["status"] != "pending", call
        self.calls[call["id"]] = call["status"]
        if call["operation"].endswith(".last") and call["status"] == "running":
            self.hanging.add(call["id"])

    def enough(self, cycles):
        """Whether so many cycles have seen what it takes for their end to show something."""
        seen = len(self.calls) / 60, len(self.operations) / 2, len(self.hanging) / 2
        return min(seen) >= cycles


async def test_nothing_that_was_answered_for_is_lost_on_sqlite(start, port, tmp_path):
    await _kill_again_and_again(start, port, f"sqlite:///{tmp_path / 'hub.sqlite'}", CYCLES)


async def test_nothing_that_was_answered_for_is_lost_on_postgresql(start, port, postgres_database):
    with postgres_database() as url:
        await _kill_again_and_again(start, port, url, CYCLES_POSTGRES)


async def _kill_again_and_again(start, port, database, cycles):
    chance = random.Random(11)
    answered = Answered()
    hub = start(database, port=port)
    key = hub.key
    spoke = asyncio.create_task(_spoke().run(hub.url, key=key))
    try:
        for cycle in range(cycles):
            await asyncio.wait_for(_resumed(hub, answered), BACK_S)
            load = [asyncio.create_task(_call(hub, chance.random())) for _ in range(CALLERS)]
            load += [
                asyncio.create_task(_watch(hub, answered)),
                asyncio.create_task(_define(hub, answered, cycle)),
            ]
            await until(
                lambda load=load, cycles=cycle + 1: (
                    answered.enough(cycles) or any(task.done() for task in load)
                )
            )
            await asyncio.sleep(chance.uniform(*LOAD_S))
            hub.kill()
            for task in load:
                task.cancel()
            for ended in await asyncio.gather(*load, return_exceptions=True):
                _check(ended)
            _check_file(database)
            killed_at = utc_now()
            hub = start(database, port=port, key=key)
            await _check_records(hub, answered, killed_at)
    finally:
        spoke.cancel()
        with suppress(asyncio.CancelledError):
            await spoke
    assert hub.stop() == 0
    # Otherwise all this would have shown nothing.
    assert len(answered.calls) > 50 * cycles
    assert len(answered.operations) > cycles
    assert answered.cut_short > cycles


def _spoke():
    spoke = Spoke("worker", concurrency_max=1000, reconnect=Backoff(delay_s_max=0.5))

    @spoke.operation(namespace="job")
    async def work(text: str) -> str:
        """Take a moment."""
        await asyncio.sleep(0.002)
        return text

    @spoke.operation(namespace="job")
    async def last(text: str) -> str:
        """Take longer than the hub lives."""
        await asyncio.sleep(60)
        return text

    return spoke


async def _client(hub):
    client = Client()
    await client.connect(hub.url, hub.key)
    return client


async def _resumed(hub, answered):
    """The spoke has come back by itself: the same one, under a higher epoch."""
    client = await _client(hub)
    while True:
        found = (await client.call("spoke.list"))["items"]
        (here,) = [each for each in found if each["name"] == "worker"] or [None]
        if here is not None and here["status"] == "connected":
            break
        await asyncio.sleep(0.05)
    assert answered.spoke in (None, here["id"])
    answered.spoke = here["id"]
    assert await _reached(client) == "are you there"
    client.transport.disconnect()


async def _reached(client):
    """The spoke's answer. Its row is committed a moment before it is offered calls."""
    while True:
        try:
            return await client.call("job.work", {"text": "are you there"})
        except Refused as refused:
            assert refused.code == "NO_PROVIDER", refused
        await asyncio.sleep(0.05)


async def _call(hub, seed):
    chance = random.Random(seed)
    client = await _client(hub)
    hanging = set()
    while True:
        if chance.random() < 0.02:
            hanging.add(asyncio.create_task(client.frame("job.last", {"text": "x"})))
        await client.call("job.work", {"text": "x" * chance.randrange(2000)})
        hanging -= {task for task in hanging if task.done()}


async def _watch(hub, answered):
    """Remember every record that the hub shows."""
    client = await _client(hub)
    while True:
        for filters in ({}, {"status": "running"}):
            for call in (await client.call("call.list", {"limit": 200, **filters}))["items"]:
                answered.saw(call)
        await asyncio.sleep(0.02)


async def _define(hub, answered, cycle):
    """Register more and more, and remember what was accepted."""
    client = await _client(hub)
    for n in range(1000):
        spec = {
            "namespace": "made",
            "name": f"op{cycle}x{n}",
            "type": "query",
            "description": "One of many.",
        }
        registered = await client.register("maker", [spec])
        assert registered["epoch"] > answered.epoch
        answered.epoch = registered["epoch"]
        answered.operations.add(registered["operations"][0]["operationId"])
        await asyncio.sleep(0.01)


def _check(ended):
    """The hub was killed: all that a peer may see is its connection's end."""
    if not isinstance(ended, ConnectionError | OSError | asyncio.CancelledError):
        raise ended if isinstance(ended, BaseException) else AssertionError(ended)


def _check_file(database):
    """What was left behind is sound. Looked at in a copy, so that the hub finds it as it was."""
    if not database.startswith("sqlite:///"):
        return
    path = database.removeprefix("sqlite:///")
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{path}.copy{suffix}")
    connection = sqlite3.connect(f"{path}.copy")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


async def _check_records(hub, answered, killed_at):
    client = await _client(hub)
    calls = {call["id"]: call async for call in _pages(client, "call.list")}
    missing = answered.calls.keys() - calls.keys()
    assert not missing, f"{len(missing)} of {len(answered.calls)} acknowledged calls are gone"
    for id, before in list(answered.calls.items()):
        call = calls[id]
        answered.saw(call)
        if before in OPEN and call["status"] == "failed":
            assert call["error"]["details"]["reason"] in ("hub_restart", "callee_left"), call
    still = [call for call in calls.values() if call["status"] in OPEN]
    assert [call for call in still if datetime.fromisoformat(call["createdAt"]) < killed_at] == []
    reasons = [(call["error"] or {}).get("details", {}).get("reason") for call in calls.values()]
    answered.cut_short = reasons.count("hub_restart")
    known = {operation["id"] async for operation in _pages(client, "operation.list")}
    assert answered.operations <= known
    client.transport.disconnect()


async def _pages(client, operation):
    cursor = None
    while True:
        page = await client.call(operation, {"limit": 500} | ({"cursor": cursor} if cursor else {}))
        for item in page["items"]:
            yield item
        cursor = page.get("nextCursor")
        if not cursor:
            return
