"""The embedder that comes with the hub: a vector for each token, and their sum for a text.

It needs no more than its two files, which `tools/embedder` makes, and no time worth speaking of.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hubbub.search.tokens import Tokens

FOLDER: Final = Path(__file__).parent / "table"
ID: Final = "hubbub-static-1"
TEXT_CHARS_MAX: Final = 4000


class StaticEmbedder:
    """Texts as the sums of their tokens' vectors, of length one."""

    id = ID

    def __init__(self, folder: Path = FOLDER) -> None:
        self._tokens = Tokens((folder / "tokens.txt").read_text("utf-8").split("\n"))
        # Read where they lie: of most tokens nobody ever asks.
        self._rows: NDArray[np.int8] = np.asarray(np.load(folder / "rows.npy", mmap_mode="r"))
        self._scales: NDArray[np.float32] = np.load(folder / "scales.npy").astype(np.float32)
        self.dimensions = int(self._rows.shape[1])

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text. One without a known word is zero, and near to nothing."""
        return [self.vector(text).astype("<f4").tobytes() for text in texts]

    def vector(self, text: str) -> NDArray[np.float32]:
        """The vector of one text."""
        ids = self._tokens.ids(text[:TEXT_CHARS_MAX])
        sum_ = (self._rows[ids] * self._scales[ids, np.newaxis]).sum(axis=0, dtype=np.float32)
        length = np.sqrt(sum_ @ sum_)
        vector: NDArray[np.float32] = sum_ / length if length else sum_
        return vector


@cache
def built_in() -> StaticEmbedder:
    """The one of this process: its tables are read once, and its words learned for everybody."""
    return StaticEmbedder()
