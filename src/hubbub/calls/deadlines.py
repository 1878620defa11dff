"""Deadlines of many calls on one timer.

Nearly every call ends long before its deadline, so setting one must cost next to nothing. Calls are
kept in buckets of 50 ms; a bucket is looked at once, when it is due. A call whose deadline moved on
meanwhile (an idle timeout) is put into a later one.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from hubbub.calls.model import Call

BUCKETS_PER_S: Final = 20


class Deadlines:
    """Calls `expired(call)` for each call at or up to 50 ms after its `due_s`."""

    def __init__(self, expired: Callable[[Call], None]) -> None:
        self._expired = expired
        self._buckets: dict[int, set[Call]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0

    def add(self, call: Call) -> None:
        """Watch `call.due_s`."""
        at = _bucket(call.due_s)
        bucket = self._buckets.get(at)
        if bucket is None:
            bucket = self._buckets[at] = set()
            if self._timer is None or at < self._timer_at:
                self._arm(at)
        bucket.add(call)

    def discard(self, call: Call) -> None:
        """Forget a call that ended."""
        at = _bucket(call.due_s)
        bucket = self._buckets.get(at)
        if bucket is not None:
            bucket.discard(call)
            # The bucket that the timer waits for stays: it costs one look, not a new timer.
            if not bucket and at != self._timer_at:
                del self._buckets[at]

    def move(self, call: Call, due_s: float) -> None:
        """Watch another moment."""
        if _bucket(due_s) != _bucket(call.due_s):
            self.discard(call)
            call.due_s = due_s
            self.add(call)
        else:
            call.due_s = due_s

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._buckets.clear()

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def _arm(self, at: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            if not self._buckets.get(self._timer_at, True):
                del self._buckets[self._timer_at]
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at / BUCKETS_PER_S, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for at in sorted(at for at in self._buckets if at / BUCKETS_PER_S <= now):
            # The end of one call may be the end of others, and empty a bucket that is due as well.
            for call in self._buckets.pop(at, ()):
                if _bucket(call.due_s) <= at:  # else it was moved on by the end of another
                    self._expired(call)
        if self._buckets:
            at = min(self._buckets)
            if self._timer is None or at < self._timer_at:
                self._arm(at)


def _bucket(due_s: float) -> int:
    """The first bucket that is not before the moment."""
    return -int(-due_s * BUCKETS_PER_S // 1)
