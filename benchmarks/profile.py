"""Where the CPU of a routed call goes, function by function."""

import json
import signal
from typing import Any, Final

from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.peers import Caller, connected, input_of
from benchmarks.processes import Process, command
from benchmarks.tables import Budget, table

SHOWN: Final = 30
SHORT_LOAD_S: Final = 1.5
"""Short enough that the records of one load do not pile up until calls are refused."""


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Load a hub that samples itself, and print its busiest functions."""
    with folder() as place:
        out = place / "profile.json"
        with Hub(sqlite(place), launcher=command("benchmarks.sampled", str(out))) as hub:
            calls, threads_us = await _load(hub, rounds=2 if quick else 6)
        told = json.loads(out.read_text())
    loop_us, writer_us = threads_us
    print(
        f"\n{calls:,} calls, 64 in flight: loop {loop_us:.1f} us, writer {writer_us:.1f} us a call"
    )
    loop = {name: own * loop_us / told["total_s"] for name, own in told["own"].items()}
    within = {name: all * loop_us / told["total_s"] for name, all in told["within"].items()}
    writer = _scaled(told["writer"], writer_us)
    _print("on the loop, us a call by function itself", loop, within)
    _print("on the loop, us a call with what it calls", within, loop)
    _print("in the writer thread, us a call by function itself", writer, {})
    return {"loop_us": loop, "within_us": within, "writer_us": writer}, []


async def _load(hub: Hub, rounds: int) -> tuple[int, list[float]]:
    """Calls, and us a call in the two busiest threads: the loop's and the writer's."""
    with Process(*command("benchmarks.peers", hub.url, hub.key)):
        caller = Caller(input_of())
        await connected(caller, hub.url, hub.key)
        hub.send_signal(signal.SIGUSR1)
        before, calls = hub.threads_cpu_s(), 0
        for _ in range(rounds):
            calls += (await caller.load(64, SHORT_LOAD_S)).calls
            await hub.settled()
        after = hub.threads_cpu_s()
        caller.transport.disconnect()
    used = sorted((after[thread] - before.get(thread, 0) for thread in after), reverse=True)
    return calls, [seconds / calls * 1e6 for seconds in used[:2]]


def _scaled(writer: dict[str, Any], total_us: float) -> dict[str, float]:
    own = {name: told["own_s"] for name, told in writer.items() if "SimpleQueue" not in name}
    return {name: seconds * total_us / sum(own.values()) for name, seconds in own.items()}


def _print(title: str, values: dict[str, float], beside: dict[str, float]) -> None:
    # What holds everything tells nothing.
    inner = [item for item in values.items() if item[1] < 0.95 * max(values.values())]
    top = sorted(inner if beside else values.items(), key=lambda item: -item[1])[:SHOWN]
    rows = [[name, f"{us:.2f}", f"{beside.get(name, 0):.2f}" if beside else ""] for name, us in top]
    other = ("within" if "itself" in title else "itself") if beside else ""
    table(title, ["", "us", other], rows)
