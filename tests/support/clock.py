"""A loop on which time passes only when it is told to, for what is driven by timers alone."""

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager


class DrivenLoop(asyncio.AbstractEventLoop):
    """Tells the time and keeps timers. It runs no tasks."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self._now_s = now_s
        self._timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self._now_s

    def call_at(self, when, callback, *args, context=None):
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, timer)
        return timer

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle) -> None:
        self._timers.remove(handle)
        heapq.heapify(self._timers)

    def call_exception_handler(self, context) -> None:
        raise context["exception"]

    @property
    def armed(self) -> list[float]:
        """When timers are due."""
        return sorted(timer.when() for timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at every timer on the way."""
        end_s = self._now_s + seconds
        while self._timers and self._timers[0].when() <= end_s:
            timer = heapq.heappop(self._timers)
            self._now_s = max(self._now_s, timer.when())
            timer._run()
        self._now_s = end_s

    def stall(self, seconds: float) -> None:
        """Let time pass during which the loop is stuck: whatever was due is run late."""
        self._now_s += seconds
        self.advance(0)

    @contextmanager
    def running(self) -> Iterator["DrivenLoop"]:
        asyncio._set_running_loop(self)
        try:
            yield self
        finally:
            asyncio._set_running_loop(None)
