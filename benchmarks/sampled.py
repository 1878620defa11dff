"""The command line of the hub, sampling itself: `python -m benchmarks.sampled OUT serve ...`.

From SIGUSR1 on, a timer counts the CPU time of the process, and each time that it fires, the stack
of the event loop's thread is noted, with the CPU time that this thread has used since the last
note. What C does counts for the next line of Python: reading from sockets, for the function that
takes the frame. The thread that writes to SQLite is profiled by calls. Both end up in OUT, as JSON.
"""

import atexit
import cProfile
import json
import pstats
import runpy
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

from hubbub.storage.sqlite import SQLiteDatabase

INTERVAL_S: Final = 0.001
SITE: Final = "site-packages/"


class Samples:
    """Seconds for which each function was on top of the stack, and anywhere on it."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.total_s = 0.0
        self._at_s = time.thread_time()

    def begin(self, number: int, frame: FrameType | None) -> None:
        """Start the timer; what came before, as the start of the hub, is none of our business."""
        self._at_s = time.thread_time()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def take(self, number: int, frame: FrameType | None) -> None:
        """Note the stack; the handler of the timer's signal."""
        # The timer also fires for what other threads use; that is not this stack's doing.
        used_s = time.thread_time() - self._at_s
        self._at_s += used_s
        self.total_s += used_s
        seen: set[str] = set()
        while frame is not None:
            name = _name(frame.f_code)
            if not seen:
                self.own[name] += used_s  # type: ignore[assignment]  # a Counter may count seconds
            seen.add(name)
            frame = frame.f_back
        for name in seen:
            self.within[name] += used_s  # type: ignore[assignment]  # as above


def _name(code: Any) -> str:
    return f"{_short(code.co_filename)}:{code.co_qualname}"


def _short(path: str) -> str:
    for mark in (SITE, "/src/", "/lib/python3."):
        if mark in path:
            return path.rpartition(mark)[2]
    return Path(path).name


def write_profiled(profile: cProfile.Profile) -> None:
    """Let the thread that writes run under a profiler."""
    write = SQLiteDatabase._write_in_groups
    SQLiteDatabase._write_in_groups = lambda self: profile.runcall(write, self)  # type: ignore[method-assign]  # only here


def told(samples: Samples, profile: cProfile.Profile) -> dict[str, Any]:
    """The samples, and the writer's profile by the time inside each function itself."""
    profile.create_stats()
    stats: Any = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed leaves it out
    writer = {
        f"{_short(file)}:{name}": {"calls": calls, "own_s": own, "within_s": within}
        for (file, _, name), (_, calls, own, within, _) in stats.items()
    }
    return {
        "total_s": samples.total_s,
        "own": samples.own,
        "within": samples.within,
        "writer": writer,
    }


if __name__ == "__main__":
    out = sys.argv.pop(1)
    samples, profile = Samples(), cProfile.Profile()
    write_profiled(profile)
    atexit.register(lambda: Path(out).write_text(json.dumps(told(samples, profile))))
    signal.signal(signal.SIGPROF, samples.take)
    signal.signal(signal.SIGUSR1, samples.begin)
    runpy.run_module("hubbub", run_name="__main__", alter_sys=True)
