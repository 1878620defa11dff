"""Time as an argument: domains are given a clock, they never ask the machine."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def epoch_ms() -> int:
    """The wall clock as milliseconds since 1970, as deadlines and envelopes carry it."""
    return time.time_ns() // 1_000_000


def from_epoch_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
