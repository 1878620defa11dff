"""A thousand spokes that lose their hub together come back together."""

import asyncio
import time
from contextlib import suppress

import pytest

from tests.hardness.clients import ECHO, Client, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

MIB = 1024 * 1024
SPOKES = 1000
ALL_BACK_S = 60
PROBE_S = 5
AGAIN_S = 0.2
DIALS = 100  # attempts at the same time: more would overflow this process's own backlog


class Crowd:
    """Spokes that dial again at once whenever they lose the hub, and offer what they offered."""

    def __init__(self, url, key):
        self._url = url
        self._key = key
        self._dialing = asyncio.Semaphore(DIALS)
        self.here = set()

    async def stay(self, n):
        while True:
            client = Client()
            try:
                async with self._dialing:
                    await client.connect(self._url, self._key)
                    spec = {**ECHO, "name": f"echo{n}"}
                    await client.register(f"spoke {n}", [spec])
            except (OSError, TimeoutError):
                await asyncio.sleep(AGAIN_S)
                continue
            self.here.add(n)
            try:
                await client.left
            finally:
                self.here.discard(n)
                client.transport.disconnect(False)


async def test_all_are_back_soon_and_the_hub_answers_meanwhile(start, port, connect):
    hub = start(port=port)
    key, before = hub.key, None
    crowd = Crowd(hub.url, key)
    spokes = [asyncio.create_task(crowd.stay(n)) for n in range(SPOKES)]
    try:
        for times in range(2):
            began = time.monotonic()
            probe = asyncio.create_task(_probe(await connect(hub)))
            await until(lambda: len(crowd.here) == SPOKES, timeout_s=ALL_BACK_S)
            print(f"all {SPOKES} registered in {time.monotonic() - began:.1f} s")
            assert hub.metric("spokes_connected") == SPOKES
            print(f"a probe waited {await _stopped(probe):.2f} s at most")
            before = before or hub.rss_bytes()
            if not times:
                hub.stop()
                await until(lambda: not crowd.here, timeout_s=ALL_BACK_S)
                hub = start(port=port, key=key)
        assert hub.rss_bytes() < before + 64 * MIB
        await _all_leave(hub, spokes)
    finally:
        for spoke in spokes:
            spoke.cancel()
        await asyncio.gather(*spokes, return_exceptions=True)


async def _probe(client):
    """Call again and again; how long the slowest took."""
    longest = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            began = time.monotonic()
            await client.call("account.me", timeout_s=PROBE_S)
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0.02)
    return longest


async def _stopped(probe):
    assert not probe.done(), probe.exception()
    probe.cancel()
    return await probe


async def _all_leave(hub, spokes):
    """Nothing is left of them."""
    weight = hub.rss_bytes()
    for spoke in spokes:
        spoke.cancel()
    await asyncio.gather(*spokes, return_exceptions=True)
    await until(lambda: hub.metric("spokes_connected") == 0, timeout_s=ALL_BACK_S)
    await until(lambda: hub.metric("connections") <= 1)
    assert hub.sockets() < 20
    assert hub.rss_bytes() < weight + 16 * MIB
