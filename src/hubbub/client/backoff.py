"""How long to wait before trying again. Pure: chance comes in as an argument."""

import random
from collections.abc import Callable
from dataclasses import dataclass

Chance = Callable[[], float]
"""A number from 0 up to 1, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Full jitter: a thousand peers that lost one hub together must not come back together."""

    base_s: float = 0.5
    delay_s_max: float = 30.0

    def delay_s(self, failures: int, hint_ms: int = 0, chance: Chance = random.random) -> float:
        """Seconds to wait after so many failures, on top of what the far end asked for."""
        # 2**64 is past every bound; a peer that failed for a year must not raise OverflowError.
        ceiling_s = min(self.delay_s_max, self.base_s * 2.0 ** min(failures, 64))
        return hint_ms / 1000 + chance() * ceiling_s


RECONNECT = Backoff()
RETRY = Backoff(base_s=0.05, delay_s_max=5.0)


def hint_ms(details: dict[str, object]) -> int:
    """The `retryAfterMs` of a refusal, 0 if it names none, an hour at most."""
    value = details.get("retryAfterMs")
    return int(min(max(0, value), 3_600_000)) if isinstance(value, int | float) else 0
