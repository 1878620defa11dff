"""Texts as vectors: what whoever searches by meaning needs of a model."""

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """A model that gives texts of like meaning vectors of like direction."""

    id: str
    """Names model and version. Vectors of one id can be compared; others are made anew."""
    dimensions: int

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text: `dimensions` little-endian float32, of length one.

        Raises:
            Unavailable: if the model cannot be asked now.
        """
