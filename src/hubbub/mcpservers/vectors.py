"""Embeddings as they are kept: little-endian float32, and nothing else."""

import importlib
from collections.abc import Sequence
from typing import Any

from hubbub.kernel.errors import Unavailable

FLOAT_BYTES = 4


def checked(vectors: Sequence[bytes], count: int, dimensions: int) -> Sequence[bytes]:
    """
    Raises:
        Unavailable: if they are not what the model promised. To keep them would be to compare,
            later on, numbers that mean nothing to each other.
    """
    numpy = _numpy()
    if len(vectors) != count:
        raise Unavailable("the model gave another number of vectors", expected=count)
    for vector in vectors:
        if not isinstance(vector, bytes) or len(vector) != dimensions * FLOAT_BYTES:
            raise Unavailable(
                "the model gave vectors of another form", expected=f"{dimensions} float32"
            )
    if count and not numpy.isfinite(numpy.frombuffer(b"".join(vectors), "<f4")).all():
        raise Unavailable("the model gave vectors that are not finite")
    return vectors


def mean(vectors: Sequence[bytes]) -> bytes | None:
    """What several mean together: their mean, of length one; None without any."""
    if not vectors or not vectors[0]:
        return None
    numpy = _numpy()
    together = numpy.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1).mean(axis=0)
    length = float(numpy.linalg.norm(together))
    pooled: bytes = (together / length if length else together).astype("<f4").tobytes()
    return pooled


class Meaningless:
    """No model, where words alone are to be searched: every text means nothing."""

    id = "none"
    dimensions = 0

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Nothing, for each text."""
        return [b""] * len(texts)


def _numpy() -> Any:
    # A hub that embeds nothing starts without it.
    return importlib.import_module("numpy")
