"""A peer that stops reading costs the hub a bounded amount, and its neighbours nothing."""

import asyncio
import time
from contextlib import suppress

import pytest

from tests.hardness.clients import BIG, ECHO, until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
BUDGET = 512 * 1024
MUCH = {"text": "x" * 32 * 1024}
ROUNDS = 12
# Rounds after which nothing may grow any more. Each has 13 MiB of answers on their way at once, so
# it takes some until the allocator of each thread has seen the most that it will hold.
WARM = 8


class Neighbours:
    """A caller and a spoke who mind their own business, and note how that goes."""

    def __init__(self, caller):
        self._caller = caller
        self.latencies = []

    async def go_on(self):
        while True:
            began = time.perf_counter()
            assert await self._caller.call("good.echo", {"n": 1}) == {"n": 1}
            self.latencies.append(time.perf_counter() - began)
            await asyncio.sleep(0.005)


@pytest.fixture
async def undisturbed(connect):
    """Neighbours at work for the length of a block; whatever disturbs them fails the test."""

    async def at_work(hub):
        spoke, caller = await connect(hub), await connect(hub)
        await spoke.register("good", [{**spec, "namespace": "good"} for spec in (ECHO, BIG)])
        neighbours = Neighbours(caller)
        return neighbours, asyncio.create_task(neighbours.go_on())

    return at_work


async def test_a_spoke_that_stops_reading_is_cut_off_and_told_why(start, connect, undisturbed):
    hub = start(peer_bytes_max=BUDGET)
    neighbours, work = await undisturbed(hub)
    caller = await connect(hub)
    await asyncio.sleep(0.3)
    weights = [hub.rss_bytes()]
    for n in range(1, ROUNDS + 1):
        spoke = await connect(hub)
        echo = await _offered(spoke)
        spoke.pause()
        flood = [asyncio.create_task(caller.frame(echo, MUCH)) for _ in range(400)]
        await until(lambda n=n: hub.metric("peers_too_slow_total") == n)
        ended = await asyncio.gather(*flood)
        assert {frame["type"] for frame in ended} == {"call.error"}
        assert {frame["payload"]["code"] for frame in ended} <= {"ABORTED", "NO_PROVIDER"}
        spoke.resume()
        assert await asyncio.wait_for(spoke.left, 10) == 4008
        weights.append(hub.rss_bytes())
    await _calm(hub, work, neighbours)
    assert weights[-1] - weights[WARM] < 24 * MIB, [w // MIB for w in weights]


async def test_a_caller_that_stops_reading_is_cut_off_and_told_why(start, connect, undisturbed):
    hub = start(peer_bytes_max=BUDGET)
    neighbours, work = await undisturbed(hub)
    weights = [hub.rss_bytes()]
    for n in range(1, ROUNDS + 1):
        caller = await connect(hub)
        caller.pause()
        flood = [asyncio.create_task(caller.frame("good.big")) for _ in range(400)]
        await until(lambda n=n: hub.metric("peers_too_slow_total") == n)
        caller.resume()
        assert await asyncio.wait_for(caller.left, 10) == 4008
        await asyncio.gather(*flood, return_exceptions=True)
        weights.append(hub.rss_bytes())
    await _calm(hub, work, neighbours)
    assert weights[-1] - weights[WARM] < 24 * MIB, [w // MIB for w in weights]


async def test_a_peer_that_never_reads_again_is_rid_of_all_the_same(start, connect, undisturbed):
    hub = start(peer_bytes_max=BUDGET)
    neighbours, work = await undisturbed(hub)
    caller = await connect(hub)
    await until(lambda: hub.metric("connections") == 3)
    sockets = hub.sockets()
    spoke = await connect(hub)
    echo = await _offered(spoke)
    spoke.pause()
    flood = [asyncio.create_task(caller.frame(echo, MUCH)) for _ in range(400)]
    await until(lambda: hub.metric("peers_too_slow_total") == 1)
    await asyncio.gather(*flood)
    await until(lambda: hub.sockets() <= sockets)
    await _calm(hub, work, neighbours)


async def _offered(spoke):
    """Under which id a spoke's echo is known."""
    registered = await spoke.register("stuck")
    return registered["operations"][0]["operationId"]


async def _calm(hub, work, neighbours):
    """Nobody else noticed, and nothing is held any more."""
    assert not work.done(), work.exception()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    assert len(neighbours.latencies) > 5
    assert max(neighbours.latencies) < 2
    await until(lambda: hub.metric("calls_in_flight") == 0)
