"""A durable command: one that reads, judges, writes, and is told so after the fsync."""

import asyncio
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.hubs import folder
from benchmarks.peers import percentile
from benchmarks.tables import Budget, number, table
from hubbub.app import open_database
from hubbub.identity import store
from hubbub.interfaces.server import SWITCH_S
from hubbub.kernel.clock import utc_now
from hubbub.kernel.events import Bus
from hubbub.kernel.ids import new_id
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction

ALONE_LIMIT_US: Final = 400.0
ALONE_FLOOR_THEN_US: Final = 156.0
PER_S_LIMIT: Final = 12_000.0
IN_FLIGHT: Final = 64

READ: Final = "SELECT * FROM accounts WHERE id = ?"
WRITE: Final = """INSERT INTO audit_logs
    (id, owner_id, action, details, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)"""


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Floor, alone, and many in flight, in turn."""
    rounds, seconds = (2, 1.0) if quick else (4, 2.0)
    sys.setswitchinterval(SWITCH_S)  # as in a hub that serves
    floors, alones, manies, cpus = [], [], [], []
    with folder() as place:
        database = await open_database(f"sqlite:///{place / 'ours.sqlite'}", Bus())
        beside = place / "floor.sqlite"
        other = await open_database(f"sqlite:///{beside}", Bus())
        owner, its_owner = await database.write(_owner), await other.write(_owner)
        await other.close()
        try:
            for _ in range(rounds):
                floors += await asyncio.to_thread(_floor, beside, its_owner, seconds / 2)
                alones += await _load(database, owner, 1, seconds)
                cpu, began = time.process_time(), time.perf_counter()
                many = await _load(database, owner, IN_FLIGHT, seconds)
                manies.append(len(many) / (time.perf_counter() - began))
                cpus.append((time.process_time() - cpu) / len(many) * 1e6)
        finally:
            await database.close()
    figures = {
        "floor_us": percentile(floors, 0.5) * 1e6,
        "alone_us": percentile(alones, 0.5) * 1e6,
        "alone_p99_us": percentile(alones, 0.99) * 1e6,
        "per_s": max(manies),
        "cpu_us": min(cpus),
    }
    head = ["durable: a command on SQLite, synchronous=FULL", "p50 us", "p99 us", "per s@64"]
    floor = ["sqlite3, BEGIN to COMMIT", number(figures["floor_us"]), "", ""]
    ours = [number(figures[name]) for name in ("alone_us", "alone_p99_us", "per_s")]
    table("", [*head, "CPU us@64"], [[*floor, ""], ["Database.write", *ours, number(min(cpus))]])
    return figures, _budgets(figures)


def _budgets(figures: dict[str, float]) -> list[Budget]:
    return [
        Budget(
            what="durable command alone, p50",
            unit="us",
            limit=ALONE_LIMIT_US,
            measured=figures["alone_us"],
            floor=figures["floor_us"],
            floor_then=ALONE_FLOOR_THEN_US,
        ),
        Budget(
            what="durable commands, 64 in flight",
            unit="per s",
            limit=PER_S_LIMIT,
            measured=figures["per_s"],
            at_least=True,
        ),
    ]


async def _load(database: Database, owner: str, in_flight: int, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    latencies: list[float] = []

    async def work(tx: WriteTransaction) -> None:
        account = await store.account(tx, owner)
        await store.audit(tx, "bench", owner_id=account.id, key_id=None, details={}, now=utc_now())

    async def keep_writing() -> None:
        while (started := time.perf_counter()) < until:
            await database.write(work)
            latencies.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(keep_writing())
    return latencies


async def _owner(tx: WriteTransaction) -> str:
    return await store.add_account(
        tx,
        email="bench@localhost",
        display_name=None,
        access_level="user",
        status="active",
        now=utc_now(),
    )


def _floor(path: Path, owner: str, seconds: float) -> list[float]:
    """The same statements on a connection of one's own, each fsynced."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        now = utc_now().isoformat()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(READ, (owner,)).fetchall()
        connection.execute(WRITE, (new_id(), owner, "bench", "{}", now, now))
        connection.execute("COMMIT")
        latencies.append(time.perf_counter() - started)
    connection.close()
    return latencies
