"""A call through the hub and back, beside relays that do nothing else and beside NATS."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from benchmarks import nats_peers
from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.peers import Caller, Load, connected, input_of, percentile
from benchmarks.processes import Process, command
from benchmarks.tables import Budget, number, table
from tests.support import services

IN_FLIGHT: Final = (64, 1, 16)
CPU_LIMIT_US: Final = 45.0
CPU_FLOOR_THEN_US: Final = 10.1
P50_LIMIT_US: Final = 200.0
P50_FLOOR_THEN_US: Final = 40.0
HEAD: Final = [
    "relay: caller > hub > spoke > hub > caller, 500 bytes each way",
    "CPU us@64",
    "CPU us@1",
    "p50 us",
    "p99 us",
    "calls/s@1",
    "@16",
    "@64",
    "refused",
]


class Loads(Protocol):
    """What keeps calls in flight."""

    async def load(self, in_flight: int, seconds: float) -> Load: ...


@dataclass(kw_only=True)
class Target:
    """Something that routes calls, and what was measured of it."""

    name: str
    process: Process
    caller: Loads
    settled: Callable[[], Awaitable[None]]
    """Wait for what the calls left to be done: it belongs to their price."""
    cpu_us: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in IN_FLIGHT})
    per_s: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in IN_FLIGHT})
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    refused: int = 0

    async def measure(self, in_flight: int, seconds: float) -> None:
        """One round."""
        before = self.process.cpu_s()
        load = await self.caller.load(in_flight, seconds)
        await self.settled()
        self.cpu_us[in_flight].append((self.process.cpu_s() - before) / load.calls * 1e6)
        self.per_s[in_flight].append(load.per_s)
        self.refused += load.errors
        if in_flight == 1:
            self.p50_us.append(percentile(load.latencies, 0.5) * 1e6)
            self.p99_us.append(percentile(load.latencies, 0.99) * 1e6)

    def figures(self) -> dict[str, Any]:
        """Best of the rounds for CPU and throughput, median for latency."""
        return {
            "cpu_us": {n: min(values) for n, values in self.cpu_us.items()},
            "calls_per_s": {n: max(values) for n, values in self.per_s.items()},
            "p50_us": percentile(self.p50_us, 0.5),
            "p99_us": percentile(self.p99_us, 0.5),
            "refused": self.refused,
        }

    def row(self) -> list[str]:
        found = self.figures()
        per_s = found["calls_per_s"]
        values = [found["cpu_us"][64], found["cpu_us"][1], found["p50_us"], found["p99_us"]]
        values += [per_s[1], per_s[16], per_s[64]]
        return [self.name, *map(number, values), str(self.refused)]


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Measure all targets in turn, round by round."""
    rounds, seconds = (2, 0.6) if quick else (3, 3.0)
    async with AsyncExitStack() as stack:
        targets = [target async for target in _targets(stack)]
        for target in targets:
            await target.caller.load(16, 0.5)
            await target.settled()
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                for target in targets:
                    await target.measure(in_flight, seconds)
    table("", HEAD, [target.row() for target in targets])
    figures = {target.name: target.figures() for target in targets}
    return figures, _budgets(figures)


def _budgets(figures: dict[str, Any]) -> list[Budget]:
    bare, hub = figures["bare relay, picows"], figures["Hubbub, SQLite"]
    return [
        Budget(
            what="hub CPU per routed call, graph rows included, 64 in flight",
            unit="us",
            limit=CPU_LIMIT_US,
            measured=hub["cpu_us"][64],
            floor=bare["cpu_us"][64],
            floor_then=CPU_FLOOR_THEN_US,
        ),
        Budget(
            what="p50 caller > hub > spoke > hub > caller, 1 in flight",
            unit="us",
            limit=P50_LIMIT_US,
            measured=hub["p50_us"],
            floor=bare["p50_us"],
            floor_then=P50_FLOOR_THEN_US,
        ),
    ]


async def _targets(stack: AsyncExitStack) -> AsyncIterator[Target]:
    for stackname in ("picows", "uvicorn"):
        process = Process(*command("benchmarks.floors", stackname))
        stack.enter_context(process)
        name = f"bare relay, {stackname}"
        yield await stack.enter_async_context(_target(name, process, _at_once))
    hub = Hub(sqlite(stack.enter_context(folder())))
    stack.enter_context(hub)
    yield await stack.enter_async_context(_target("Hubbub, SQLite", hub, hub.settled))
    try:
        server = stack.enter_context(services.server())
    except services.Unavailable as error:
        print(f"(left out: {error})")
    else:
        hub = Hub(stack.enter_context(services.database(server)))
        stack.enter_context(hub)
        yield await stack.enter_async_context(_target("Hubbub, PostgreSQL", hub, hub.settled))
    if nats := shutil.which("nats-server"):
        yield await stack.enter_async_context(_nats(nats))
    else:
        print("(left out: there is no nats-server on the path)")


@asynccontextmanager
async def _target(
    name: str, process: Process, settled: Callable[[], Awaitable[None]]
) -> AsyncIterator[Target]:
    url, key = process.said["url"], process.said["key"]
    with Process(*command("benchmarks.peers", url, key or "")):
        caller = Caller(input_of())
        await connected(caller, url, key)
        yield Target(name=name, process=process, caller=caller, settled=settled)
        caller.transport.disconnect()


@asynccontextmanager
async def _nats(binary: str) -> AsyncIterator[Target]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"nats://127.0.0.1:{port}"
    with Process(binary, "-a", "127.0.0.1", "-p", str(port), speaks=False) as server:
        await nats_peers.reachable(url)
        with Process(*command("benchmarks.nats_peers", url)):
            async with nats_peers.calling(url, input_of()) as caller:
                name = "nats-server, nats-py (no graph)"
                yield Target(name=name, process=server, caller=caller, settled=_at_once)


async def _at_once() -> None:
    await asyncio.sleep(0)
