"""How near documents are by meaning: all their vectors in one matrix, compared one by one.

Up to a hundred thousand, to compare all takes less time than any index that may miss some.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hubbub.kernel.errors import Unavailable

Vector = NDArray[np.float32]
FLOAT_BYTES: Final = 4


def read(data: bytes, dimensions: int) -> Vector:
    """The vector that a model gave, or that was kept.

    Raises:
        Unavailable: if it is none of that many float32.
    """
    if len(data) != dimensions * FLOAT_BYTES:
        raise Unavailable(
            "that is no vector of this model", bytes=len(data), expected=dimensions * FLOAT_BYTES
        )
    vector = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise Unavailable("that vector holds what is no number")
    return vector


def joined(parts: Iterable[tuple[Vector, float]]) -> Vector:
    """The direction of several vectors together, each with its weight."""
    weighted = [vector * np.float32(weight) for vector, weight in parts]
    whole: Vector = np.sum(weighted, axis=0, dtype=np.float32)
    length = np.sqrt(whole @ whole)
    return whole / length if length else whole


class Vectors:
    """The vectors of documents, in the rows of their slots."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, 0), np.float32)

    def put(self, slot: int, vector: Vector) -> None:
        """Keep a document's vector, in place of the one it had."""
        if slot >= len(self._rows):
            more = np.zeros((max(64, 2 * slot), len(vector)), np.float32)
            more[: len(self._rows), : self._rows.shape[1]] = self._rows
            self._rows = more
        self._rows[slot] = vector

    def remove(self, slot: int) -> None:
        """Forget a document's vector: zero is near to nothing."""
        if slot < len(self._rows):
            self._rows[slot] = 0.0

    def scores(self, query: Vector, slots: int) -> Vector:
        """How near each of the first `slots` is, from -1 to 1."""
        scores = np.zeros(slots, np.float32)
        filled = min(slots, len(self._rows))
        if filled:
            # Row by row: a product of matrices would wake threads that wait for each other longer
            # than this takes, and its last digits differ with the place of a row.
            scores[:filled] = np.vecdot(self._rows[:filled], query)
        return scores
