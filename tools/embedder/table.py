"""The model as it is shipped: a row of small numbers for each token, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hubbub.search.static import StaticEmbedder

INT8_MAX: Final = 127


@dataclass(frozen=True, kw_only=True)
class Table:
    tokens: Sequence[str]
    vectors: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write the three files of `src/hubbub/search/table`."""
        scales = np.abs(self.vectors).max(axis=1, keepdims=True) / INT8_MAX
        rows = np.round(self.vectors / np.maximum(scales, 1e-9)).astype(np.int8)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokens.txt").write_text("\n".join(self.tokens), "utf-8")
        np.save(folder / "rows.npy", rows)
        np.save(folder / "scales.npy", scales[:, 0].astype(np.float16))

    def opened(self, folder: Path) -> StaticEmbedder:
        """The embedder of what was saved there."""
        return StaticEmbedder(folder)


def shrunk(vectors: NDArray[Any], dimensions: int) -> NDArray[np.float32]:
    """The directions in which vectors differ most, each vector of length one."""
    centred = vectors.astype(np.float32) - vectors.mean(axis=0, dtype=np.float32)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ axes[:dimensions].T
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.asarray(kept / np.maximum(lengths, 1e-9), np.float32)
