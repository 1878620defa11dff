"""`python -m benchmarks [PART ...] [--quick] [--json FILE]`: the parts side by side, in one run."""

import argparse
import json
import os
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import durable, http, mcp, profile, registry, relay, search, start
from benchmarks.tables import Budget, budgets

Part = Callable[..., Awaitable[tuple[dict[str, Any], list[Budget]]]]

PARTS: Final[dict[str, Part]] = {
    "relay": relay.run,
    "start": start.run,
    "durable": durable.run,
    "http": http.run,
    "mcp": mcp.run,
    "search": search.run,
    "registry": registry.run,
}
ASKED: Final[dict[str, Part]] = {"profile": profile.run}


def main() -> None:
    """Run the parts that are asked for; all but the profile by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS | ASKED))
    parser.add_argument("--quick", action="store_true", help="a minute at most, rougher figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS | ASKED):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    found = uvloop.run(run(parts, quick=asked.quick))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


async def run(parts: list[str], *, quick: bool) -> dict[str, Any]:
    """Every part in turn, its tables as they come, and the budgets at the end."""
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}"
    )
    figures: dict[str, Any] = {}
    promised: list[Budget] = []
    for part in parts:
        figures[part], kept = await (PARTS | ASKED)[part](quick=quick)
        promised += kept
    budgets(promised)
    return {**figures, "budgets": [budget.figures() for budget in promised]}


if __name__ == "__main__":
    main()
