"""A tool of an MCP server: called at the server, through the hub, and through proxies of others."""

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.hubs import SETTLES_S, Hub, folder, sqlite
from benchmarks.mcp_client import LEGACY, NEWER, Clients, Place
from benchmarks.mcp_gateways import gateways
from benchmarks.peers import percentile
from benchmarks.processes import Process, command
from benchmarks.tables import Budget, number, table

IN_FLIGHT: Final = 16
CPU_LIMIT_US: Final = 1000.0
CPU_GOAL_US: Final = 300.0
CPU_FLOOR_THEN_US: Final = 140.0
DIRECT: Final = "the echo server itself"
THIN: Final = "thin proxy, aiohttp"
PROFILE: Final = "Hubbub, /mcp/profiles/bench"
META: Final = "Hubbub, /mcp, by call_tool"
HEAD: Final = ["CPU us@16", "CPU us@1", "p50 us@1", "calls/s@16", "wrong"]


@dataclass(kw_only=True)
class Target:
    """A way to the tool in one era, and what was measured of it."""

    name: str
    process: Process
    clients: Clients
    settled: Callable[[], Awaitable[None]]
    """Wait for what the calls left to be done: it belongs to their price."""
    cpu_us: dict[int, list[float]] = field(default_factory=lambda: {1: [], IN_FLIGHT: []})
    per_s: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    wrong: int = 0

    async def measure(self, in_flight: int, seconds: float) -> None:
        """One round."""
        before = self.process.cpu_s()
        load = await self.clients.load(in_flight, seconds)
        await self.settled()
        self.cpu_us[in_flight].append((self.process.cpu_s() - before) / load.calls * 1e6)
        self.wrong += load.errors
        if in_flight == 1:
            self.p50_us.append(percentile(load.latencies, 0.5) * 1e6)
        else:
            self.per_s.append(load.per_s)

    def figures(self) -> dict[str, float]:
        """Best of the rounds for CPU and throughput, median for latency."""
        return {
            "cpu_us": min(self.cpu_us[IN_FLIGHT]),
            "cpu_us_alone": min(self.cpu_us[1]),
            "p50_us": percentile(self.p50_us, 0.5),
            "calls_per_s": max(self.per_s),
            "wrong": self.wrong,
        }

    def row(self) -> list[str]:
        *values, wrong = self.figures().values()
        return [self.name, *map(number, values), str(wrong)]


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """All of them in turn, round by round, in the one era and then in the other."""
    rounds, seconds = (2, 0.3) if quick else (3, 2.0)
    with ExitStack() as stack:
        targets = await _targets(stack, quick=quick)
        figures: dict[str, Any] = {}
        for era in (LEGACY, NEWER):
            every = [target for target in targets if target.clients.place.era == era]
            here = [target for target in every if await _ready(target)]
            await _measure(here, rounds, seconds)
            figures[era] = {target.name: target.figures() for target in here}
            rows = [target.row() for target in here]
            for target in here:
                if target.wrong:
                    print(f"({target.name}, wrong: {target.clients.last_wrong[:300]!r})")
            table("", [f"mcp: tools/call echo, revision {era}", *HEAD], rows)
    return figures, _budgets(figures)


async def _ready(target: Target) -> bool:
    """Whether it answers, now that it has had some calls."""
    try:
        await target.clients.greet()
        for in_flight in (1, IN_FLIGHT):
            await target.clients.load(in_flight, 0.3)
        await target.settled()
    except (OSError, TimeoutError) as error:
        if isinstance(target.process, Hub):
            raise
        print(f"(left out, {target.name}, {target.clients.place.era}: {error!r})")
        return False
    return True


async def _measure(targets: list[Target], rounds: int, seconds: float) -> None:
    for _ in range(rounds):
        for in_flight in (IN_FLIGHT, 1):
            for target in targets:
                await target.measure(in_flight, seconds)


def _budgets(figures: dict[str, Any]) -> list[Budget]:
    """Of the era that costs the hub more."""
    era = max(figures, key=lambda era: figures[era][PROFILE]["cpu_us"])
    return [
        Budget(
            what=f"hub CPU per MCP tools/call, audit and graph on, 16 clients{what}",
            unit="us",
            limit=limit,
            measured=figures[era][PROFILE]["cpu_us"],
            floor=figures[era][THIN]["cpu_us"],
            floor_then=CPU_FLOOR_THEN_US,
        )
        for what, limit in (("", CPU_LIMIT_US), (": the goal", CPU_GOAL_US))
    ]


async def _targets(stack: ExitStack, *, quick: bool) -> list[Target]:
    echo = stack.enter_context(Process(*command("benchmarks.mcp_echo")))
    url = echo.said["url"]
    thin = stack.enter_context(Process(*command("benchmarks.mcp_thin", url)))
    hub = stack.enter_context(Hub(sqlite(stack.enter_context(folder()))))
    await connected(hub, url)
    found = []
    for era in (LEGACY, NEWER):
        found += [
            _target(DIRECT, echo, Place(url=url, era=era)),
            _target(THIN, thin, Place(url=thin.said["url"], era=era)),
            _target(PROFILE, hub, place(hub, era)),
            _target(META, hub, place(hub, era, searching=True)),
        ]
    if quick:
        print("(left out in a hurry: the gateways of others)")
        return found
    for gateway in await gateways(url, stack):
        found += [_target(gateway.name, gateway.process, each) for each in gateway.places]
    return found


def _target(name: str, process: Process, place: Place) -> Target:
    settled = process.settled if isinstance(process, Hub) else _at_once
    return Target(name=name, process=process, clients=Clients(place, IN_FLIGHT), settled=settled)


def place(hub: Hub, era: Any, *, searching: bool = False) -> Place:
    """The tool at the hub: by its own name, or by the meta tool."""
    path, through = ("/mcp", "up.echo") if searching else ("/mcp/profiles/bench", None)
    headers = {"Authorization": f"Bearer {hub.key}"}
    return Place(url=hub.url + path, era=era, through=through, headers=headers)


async def connected(hub: Hub, url: str) -> None:
    """Let the hub connect to the server, and give its tools a profile."""
    config = {"transport": "streamable-http", "url": url}
    made = await _call(hub, "client/create", name="up", type="mcp-server", config=config)
    await _call(hub, "profile/create", name="bench", servers=["up"])
    async with asyncio.timeout(SETTLES_S):
        # There is nothing to wait on but another process.
        while True:
            (client,) = (await _call(hub, "client/status", id=made["id"]))["items"]
            if client["status"] == "connected":
                return
            await asyncio.sleep(0.05)


async def _call(hub: Hub, path: str, **input: object) -> Any:
    def asked() -> Any:
        request = urllib.request.Request(
            f"{hub.url}/v1/{path}",
            json.dumps(input).encode(),
            {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    return await asyncio.to_thread(asked)


async def _at_once() -> None:
    await asyncio.sleep(0)
