"""The same load over NATS: request and reply with nats-py, as its users have it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.peers import Load

SUBJECT: Final = "bench.echo"


class Requester:
    """Keeps a number of requests in flight until its time is over."""

    def __init__(self, client: Client, input: bytes) -> None:
        self._client = client
        self._input = input

    async def load(self, in_flight: int, seconds: float) -> Load:
        latencies: list[float] = []
        began = time.perf_counter()

        async def ask() -> None:
            while (started := time.perf_counter()) < began + seconds:
                await self._client.request(SUBJECT, self._input, timeout=10)
                latencies.append(time.perf_counter() - started)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(in_flight):
                tasks.create_task(ask())
        took_s = time.perf_counter() - began
        return Load(calls=len(latencies), errors=0, took_s=took_s, latencies=latencies)


async def reachable(url: str) -> None:
    """Wait until a server that was just started answers."""
    async with asyncio.timeout(10):
        while True:
            try:
                client = await nats.connect(url, allow_reconnect=False, error_cb=_quiet)
            except (OSError, nats.errors.Error):
                await asyncio.sleep(0.02)
            else:
                await client.close()
                return


@asynccontextmanager
async def calling(url: str, input: bytes) -> AsyncIterator[Requester]:
    """Somebody who asks."""
    client = await nats.connect(url)
    try:
        yield Requester(client, input)
    finally:
        await client.close()


async def answer(url: str) -> None:
    """Answer every request with itself until killed."""
    client = await nats.connect(url)

    async def echo(message: Msg) -> None:
        await message.respond(message.data)

    await client.subscribe(SUBJECT, queue="bench", cb=echo)
    await client.flush()
    print(json.dumps({"subject": SUBJECT}), flush=True)
    await asyncio.Event().wait()


async def _quiet(error: Exception) -> None:
    """Not being there yet is what is waited for."""


if __name__ == "__main__":
    uvloop.run(answer(sys.argv[1]))
