"""`operation.search` over 10,000 operations."""

import json
import time
from typing import Any, Final

from benchmarks.catalogue import OPERATIONS, QUERIES, fill
from benchmarks.http import Client, request
from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.peers import percentile
from benchmarks.tables import Budget, number, table

PATH: Final = "/v1/operation/search"
LIMIT_MS: Final = 5.0


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Queries one after the other, each as words and as sentences."""
    rounds, seconds = (2, 1.0) if quick else (3, 3.0)
    with folder() as place, Hub(sqlite(place)) as hub:
        await fill(hub)
        asked = [request(PATH, hub.key, json.dumps({"text": text}).encode()) for text in QUERIES]
        client = await Client.connect(hub.url, asked, 1)
        began = time.perf_counter()
        await client.load(1, 0)
        first_s = time.perf_counter() - began
        cpu_ms, p50_ms = [], []
        for _ in range(rounds):
            before = hub.cpu_s()
            load = await client.load(1, seconds)
            cpu_ms.append((hub.cpu_s() - before) / load.calls * 1e3)
            p50_ms.append(percentile(load.latencies, 0.5) * 1e3)
            assert not load.errors, f"{load.errors} of {load.calls} were refused"
        client.close()
    figures = {"cpu_ms": min(cpu_ms), "p50_ms": percentile(p50_ms, 0.5), "first_s": first_s}
    rows = [["operation.search", *map(number, figures.values())]]
    head = [f"search: among {OPERATIONS:,} operations", "CPU ms", "p50 ms", "the first, s"]
    table("", head, rows)
    budget = Budget(
        what="search among 10,000 by words", unit="ms CPU", limit=LIMIT_MS, measured=min(cpu_ms)
    )
    return figures, [budget]
