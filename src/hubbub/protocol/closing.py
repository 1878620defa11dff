"""Why a connection ends: the close codes of the wire."""

from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
LOST: Final = 1006
"""Never sent: there was no goodbye."""
TOO_BIG: Final = 1009
"""A message was larger than the hub takes."""
BROKEN: Final = 1011
"""The hub cannot tell just now whose key it is."""
RESTARTING: Final = 1012
UNAUTHENTICATED: Final = 4001
"""The key does not count, or no longer does."""
SLOW: Final = 4008
"""Too much was waiting to be read; or too much came before the greeting."""
FENCED: Final = 4009
"""A newer connection of the same spoke has taken over."""
