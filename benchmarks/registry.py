"""Registry and workload servers: what is promised of 1,000 of each, with ten tools each.

The model is a stand-in that gives each word a direction: what is measured is the hub. How many
texts it is given is counted, and is what a real model's time would be multiplied by.
"""

import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.hubs import folder
from benchmarks.peers import percentile
from benchmarks.tables import Budget, number, table
from hubbub.app import open_database
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Unavailable
from hubbub.kernel.events import Bus
from hubbub.mcpservers import registry_store, workload_store
from hubbub.mcpservers.finder import Finder
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.snapshots import (
    RegistryEntry,
    RegistrySnapshot,
    Tool,
    WorkloadEntry,
    WorkloadSnapshot,
)
from hubbub.storage.database import Database

SERVERS: Final = 1_000
LINKED: Final = 700
TOOLS: Final = 10
GROUPS: Final = 10
DIMENSIONS: Final = 384

VERBS: Final = (
    "create", "read", "update", "delete", "list", "search", "merge", "close", "open", "archive",
)  # fmt: skip
THINGS: Final = (
    "issue", "branch", "document", "page", "table", "message", "channel", "calendar", "invoice",
    "customer", "image", "folder", "deployment", "metric", "alert", "ticket", "payment",
    "booking", "device", "playlist",
)  # fmt: skip


class Hashing:
    """A model that costs next to nothing, and counts."""

    id = "hashing-384"
    dimensions = DIMENSIONS

    def __init__(self) -> None:
        self.texts = 0
        self.down = False

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        if self.down:
            raise Unavailable("the model is away")
        self.texts += len(texts)
        found = []
        for text in texts:
            vector = np.zeros(DIMENSIONS, "<f4")
            for word in text.lower().split():
                vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
            found.append((vector / np.linalg.norm(vector)).tobytes())
        return found


class World:
    """The rows, and what is done to them while it is counted."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self.database = database
        self.embedder = Hashing()
        self.ingestion = Ingestion(database, lambda: self.embedder, utc_now)
        self.finder = Finder(database, bus)
        self.writes = 0
        write = database.write

        async def counting(work: Any) -> Any:
            self.writes += 1
            return await write(work)

        database.write = counting  # type: ignore[method-assign]  # to see how often it is asked

    async def timed(self, work: Callable[[], Awaitable[object]]) -> tuple[float, int, int]:
        """Milliseconds, texts embedded and write transactions."""
        self.embedder.texts = self.writes = 0
        began = time.perf_counter()
        await work()
        return (time.perf_counter() - began) * 1e3, self.embedder.texts, self.writes


def identity(n: int) -> Identity:
    if n % 2:
        return Identity(remote=True, url=f"https://mcp{n}.example.com/mcp")
    return Identity(remote=False, package=f"ghcr.io/example/server-{n}:1.0")


def tools(n: int) -> tuple[Tool, ...]:
    return tuple(
        Tool.of(
            {
                "name": f"{VERBS[m % 10]}_{THINGS[(n + m) % 20]}_{n}",
                "description": f"{VERBS[m % 10].title()}s a {THINGS[(n + m) % 20]} of server {n}. "
                "Answers with what it was before and what it is now.",
                "inputSchema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "description": f"Which {THINGS[(n + m) % 20]}"},
                        "dryRun": {"type": "boolean", "description": "Only say what would be done"},
                    },
                    "required": ["id"],
                },
            }
        )
        for m in range(TOOLS)
    )


def registry_entries() -> list[RegistryEntry]:
    return [
        RegistryEntry(
            name=f"io.example/server-{n}",
            identity=identity(n),
            transport="streamable-http",
            description=f"Server {n} for {THINGS[n % 20]}s and {THINGS[(n + 7) % 20]}s",
            group=f"group-{n % GROUPS}",
            tools=tools(n),
        )
        for n in range(SERVERS)
    ]


def workload_entries() -> list[WorkloadEntry]:
    return [
        WorkloadEntry(
            workload_name=f"workload-{n}",
            name=f"workload-{n}",
            identity=identity(n if n < LINKED else n + SERVERS),
            transport="streamable-http",
            status="running",
            url=f"http://127.0.0.1:{10_000 + n}/mcp",
            group=f"group-{n % GROUPS}",
            tools=tools(n),
        )
        for n in range(SERVERS)
    ]


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Each criterion in turn, on SQLite."""
    times = 10 if quick else 50
    bus = Bus()
    with folder() as place:
        database = await open_database(f"sqlite:///{Path(place) / 'registry.sqlite'}", bus)
        try:
            return await _measured(World(database, bus), times)
        finally:
            await database.close()


async def _measured(world: World, times: int) -> tuple[dict[str, Any], list[Budget]]:
    entries, workloads = registry_entries(), workload_entries()
    figures: dict[str, Any] = {}
    rows: list[list[str]] = []

    def told(key: str, what: str, found: tuple[float, int, int], note: str = "") -> None:
        figures[key] = {"ms": found[0], "embedded": found[1], "writes": found[2]}
        rows.append([what, number(found[0]), f"{found[1]:,}", f"{found[2]:,}", note])

    def there(**changes: Any) -> Callable[[], Awaitable[object]]:
        snapshot = RegistrySnapshot(source="bench", servers=tuple(entries), **changes)
        return lambda: world.ingestion.registry(snapshot)

    def here() -> Callable[[], Awaitable[object]]:
        snapshot = WorkloadSnapshot(source="bench", workloads=tuple(workloads))
        return lambda: world.ingestion.workloads(snapshot)

    told("registry_first", "registry, first", await world.timed(there()), "SC-001")
    told("workloads_first", "workloads, first", await world.timed(here()), "SC-002")
    async with world.database.reading() as tx:
        linked = await workload_store.page(tx, linked=True, limit=2 * SERVERS)
        kept = len(await registry_store.page(tx, limit=2 * SERVERS))
        running = len(await workload_store.page(tx, limit=2 * SERVERS))
    right = sum(
        each.registry_server_name == f"io.example/{each.name.replace('workload', 'server')}"
        for each in linked
    )
    assert (right, len(linked)) == (LINKED, LINKED), "SC-005: a link is missing, or wrong"
    idle = await world.timed(there())
    idle_workloads = await world.timed(here())
    told("registry_idle", "registry, unchanged", idle)
    told("workloads_idle", "workloads, unchanged", idle_workloads)

    began = time.perf_counter()
    await world.finder.tools("anything", 1, lambda each: True)
    rows.append(["index read", number((time.perf_counter() - began) * 1e3), "", "", ""])
    first_tool = tools(0)[0]
    changed = Tool.of({**first_tool.details, "description": "Does something else now"})
    workloads[0] = replace(workloads[0], tools=(changed, *tools(0)[1:]))
    one = await world.timed(here())
    told("one_changed", "workloads, one tool changed", one, "SC-007")
    entries[1] = replace(entries[1], tools=(changed, *tools(1)[1:]))
    registry_tool = await world.timed(there())
    told("registry_tool", "registry, one tool changed", registry_tool, "SC-009")

    found = await _searched(world)
    rows.append(["search among 10,000 tools, CPU", number(found["cpu_ms"]), "", "", ""])
    rows.append(["  one of ten groups, of 8 asked", f"{found['of_group']:.2f}", "", "", ""])
    figures["search"] = found

    renames, reingests, unlinks, deletes, workload_deletes = [], [], [], [], []
    for n in range(2, 2 + times):
        entries[n] = replace(entries[n], name=f"io.example/renamed-{n}")
        renames.append(await world.timed(_only(world, entries[n])))
    for n in range(100, 100 + times):
        moved = replace(workloads[n], identity=identity(n + 500))
        workloads[n] = moved
        reingests.append(await world.timed(here()))
    async with world.database.reading() as tx:
        known = await registry_store.by_identities(tx, [each.identity for each in entries])
        named = await workload_store.by_names(tx, [each.workload_name for each in workloads])
    for n in range(200, 200 + times):
        id = known[identity(n).text].id
        unlinks.append(await world.timed(lambda id=id: world.ingestion.remove_server(id)))
    for n in range(LINKED + 100, LINKED + 100 + times):
        id = known[identity(n).text].id
        deletes.append(await world.timed(lambda id=id: world.ingestion.remove_server(id)))
    for n in range(300, 300 + times):
        id = named[f"workload-{n}"].id
        workload_deletes.append(
            await world.timed(lambda id=id: world.ingestion.remove_workload(id))
        )
    await _consistent(world)
    for key, what, each, note in (
        ("delete_registry", "delete a registry server, p95", deletes, "SC-003"),
        ("delete_workload", "delete a workload, p95", workload_deletes, "SC-004"),
        ("unlink", "delete one that is linked, p95", unlinks, "SC-008"),
        ("rename", "rename one that is linked, p95", renames, "SC-010"),
        ("reingest", "poll of 1,000, one known by another URL, p95", reingests, "SC-012"),
    ):
        told(key, what, (_p95(each), each[-1][1], each[-1][2]), note)
    fault = await _faulty(world, workloads)
    table("", ["registry and workloads: 1,000 of each", "ms", "embedded", "writes", ""], rows)
    return figures, [
        _all("SC-001: registry servers ingested", SERVERS, kept),
        _all("SC-002: workloads ingested", SERVERS, running),
        _all("SC-005: links that are there, and right", LINKED, right),
        _budget("idle poll of 1,000 workloads", "embedded", 0, idle_workloads[1]),
        _budget("idle poll of 1,000 workloads", "writes", 0, idle_workloads[2] + idle[2]),
        _budget("one of 10,000 tools changed", "embedded", 1, one[1]),
        _budget("SC-003: a registry server deleted", "ms", 100, _p95(deletes)),
        _budget("SC-004: a workload deleted", "ms", 100, _p95(workload_deletes)),
        _budget("SC-008: unlinked, with a meaning of its own", "ms", 200, _p95(unlinks)),
        _budget("SC-009: workload texts embedded for a registry tool", "", 0, registry_tool[1] - 1),
        _budget("SC-010: a rename, tools embedded again", "ms", 500, _p95(renames)),
        _budget("SC-011: workloads that do not show a failure", "", 0, fault),
        _budget("SC-012: linked to another", "ms", 300, _p95(reingests)),
        _budget("SC-013: tools found of servers that do not run", "", 0, found["stopped"]),
        _budget("search among 10,000 tools of workloads", "ms CPU", 5, found["cpu_ms"]),
        _all("tools found in one of ten groups, of 8", 8, found["of_group"]),
    ]


def _only(world: World, entry: RegistryEntry) -> Callable[[], Awaitable[object]]:
    snapshot = RegistrySnapshot(source="bench", servers=(entry,), complete=False)
    return lambda: world.ingestion.registry(snapshot)


async def _searched(world: World) -> dict[str, float]:
    queries = [f"{verb} a {thing}" for verb in VERBS for thing in THINGS]
    began = time.process_time()
    for query in queries:
        await world.finder.tools(query, 8, lambda each: True)
    cpu_ms = (time.process_time() - began) / len(queries) * 1e3
    of_group = 0
    for query in queries:
        found = await world.finder.tools(query, 8, lambda each: each.workload.group == "group-3")
        assert {each.server.workload.group for each in found} <= {"group-3"}
        of_group += len(found)
    stopped = WorkloadEntry(
        workload_name="stopped",
        name="stopped",
        identity=Identity(remote=False, package="stopped"),
        transport="stdio",
        status="stopped",
        tools=(Tool.of({"name": "unheardOf"}),),
    )
    await world.ingestion.workloads(WorkloadSnapshot(source="stopped", workloads=(stopped,)))
    found = await world.finder.tools("unheardOf", 8, lambda each: True)
    heard = sum(each.server.workload.workload_name == "stopped" for each in found)
    await world.ingestion.workloads(WorkloadSnapshot(source="stopped", workloads=()))
    return {"cpu_ms": cpu_ms, "of_group": of_group / len(queries), "stopped": heard}


async def _faulty(world: World, workloads: list[WorkloadEntry]) -> int:
    """How many of ten new workloads are not there with an error while the model is away."""
    world.embedder.down = True
    new = [
        replace(workloads[n], workload_name=f"new-{n}", name=f"new-{n}", tools=tools(n))
        for n in range(10)
    ]
    await world.ingestion.workloads(WorkloadSnapshot(source="new", workloads=tuple(new)))
    async with world.database.reading() as tx:
        there = await workload_store.page(tx, source="new", status="error", limit=20)
    world.embedder.down = False
    return len(new) - len(there)


async def _consistent(world: World) -> None:
    """No orphans: the index that followed everything is the one that is read anew."""
    later = Finder(world.database, Bus())
    await later.tools("anything", 1, lambda each: True)
    assert world.finder.counts() == later.counts(), "the index holds what is gone"


def _budget(what: str, unit: str, limit: float, measured: float) -> Budget:
    return Budget(what=what, unit=unit, limit=limit, measured=measured)


def _all(what: str, limit: float, measured: float) -> Budget:
    return Budget(what=what, unit="", limit=limit, measured=measured, at_least=True)


def _p95(found: list[tuple[float, int, int]]) -> float:
    return percentile([each[0] for each in found], 0.95)
