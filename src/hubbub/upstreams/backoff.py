"""How long to wait before a connection is tried again. No I/O."""

import random
from typing import Final

FIRST_S: Final = 0.5
MOST_S: Final = 60.0
STEADY_S: Final = 30.0
"""A connection that stood for as long was a good one."""


class Backoff:
    """Twice as long each time, and never for all upstreams at the same moment."""

    def __init__(self, seed: str) -> None:
        # Its own: whoever watches the shared one is not disturbed.
        self._random = random.Random(seed)
        self.attempts = 0

    def failed(self) -> float:
        """Seconds to wait after another failure."""
        most = min(MOST_S, FIRST_S * 2.0 ** min(self.attempts, 10))
        self.attempts += 1
        return most * self._random.uniform(0.5, 1.0)

    def stood(self, seconds: float) -> None:
        """A connection stood for so long."""
        if seconds >= STEADY_S:
            self.attempts = 0
