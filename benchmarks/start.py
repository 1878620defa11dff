"""From exec to `/ready`."""

import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

from benchmarks.catalogue import OPERATIONS, fill
from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.tables import Budget, number, table

EMPTY_LIMIT_S: Final = 1.0
FULL_LIMIT_S: Final = 2.0


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Start hubs over and over, on no file, on an empty one and on a full one."""
    rounds = 2 if quick else 5
    kinds = ("a fresh file", "an empty catalogue", "10,000 operations")
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    with folder() as place:
        empty, full = place / "empty.sqlite", place / "full.sqlite"
        with Hub(f"sqlite:///{empty}"):
            pass
        with Hub(f"sqlite:///{full}") as hub:
            registered_s = await fill(hub, OPERATIONS)
        for n in range(rounds):
            for kind, source in zip(kinds, (None, empty, full), strict=True):
                name = f"{kind.replace(' ', '-')}-{n}"
                if source is not None:
                    _copy(source, place / f"{name}.sqlite")
                found[kind].append(_start(sqlite(place, name)))
    figures = {
        kind: {"ready_s": min(took for took, _ in each), "cpu_s": min(cpu for _, cpu in each)}
        for kind, each in found.items()
    }
    rows = [[f"on {kind}", number(f["ready_s"]), number(f["cpu_s"])] for kind, f in figures.items()]
    table("", ["start: from exec to /ready", "s", "CPU s"], rows)
    print(f"  (one spoke registered {OPERATIONS:,} operations in {registered_s:.1f} s)")
    limits = (EMPTY_LIMIT_S, EMPTY_LIMIT_S, FULL_LIMIT_S)
    kept = [
        Budget(
            what=f"start to ready, {kind}", unit="s", limit=limit, measured=figures[kind]["ready_s"]
        )
        for kind, limit in zip(kinds, limits, strict=True)
    ]
    return {**figures, "registered_s": registered_s}, kept


def _start(database: str) -> tuple[float, float]:
    """Seconds until it is ready, and seconds of CPU that this took."""
    with Hub(database) as hub:
        with urllib.request.urlopen(f"{hub.url}/ready", timeout=10) as page:
            page.read()
        return time.perf_counter() - hub.began, hub.cpu_s()


def _copy(source: Path, target: Path) -> None:
    for suffix in ("", "-wal"):
        if Path(f"{source}{suffix}").exists():
            shutil.copy(f"{source}{suffix}", f"{target}{suffix}")
