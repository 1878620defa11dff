"""Hubbub: an operations hub for AI agents."""

from typing import Final

__version__: Final = "0.1.0"
