"""A model that runs here: ONNX, through fastembed. Neither comes with the hub."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hubbub.kernel.errors import Invalid, Unavailable
from hubbub.search.endpoint import lengthened


class OnnxEmbedder:
    """A model from a folder, or from where fastembed keeps those that it has. It fetches none."""

    dimensions = 0

    def __init__(self, model: str, folder: Path | None = None, threads: int = 1) -> None:
        try:
            self._library: Any = import_module("fastembed")
        except ImportError as error:
            raise Invalid(
                "a model of fastembed's needs that package: pip install fastembed",
                errors=[{"field": "embedder", "expected": "another, without the package"}],
            ) from error
        self._model = model
        self._folder = folder
        self._threads = threads
        self._loaded: Any = None
        self._turn = asyncio.Lock()
        self.id = f"fastembed#{model}" if folder is None else f"fastembed#{model}@{folder}"

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """
        Raises:
            Unavailable: if there is no such model here.
        """
        async with self._turn:
            return await asyncio.to_thread(self._embedded, list(texts))

    def _embedded(self, texts: list[str]) -> list[bytes]:
        try:
            if self._loaded is None:
                more = {} if self._folder is None else {"specific_model_path": str(self._folder)}
                self._loaded = self._library.TextEmbedding(
                    model_name=self._model, threads=self._threads, local_files_only=True, **more
                )
            # Some of its models give float64.
            vectors = lengthened(np.array(list(self._loaded.embed(texts))))
        except Exception as error:
            # What the runtime raises has no ancestor of its own, so it is told by its origin.
            foreign = type(error).__module__.partition(".")[0] == "onnxruntime"
            if not foreign and not isinstance(error, (ValueError, OSError, RuntimeError)):
                raise
            raise Unavailable(
                "the model cannot be loaded", model=self._model, reason=str(error)[:200]
            ) from error
        self.dimensions = vectors.shape[1]
        return [row.tobytes() for row in vectors]
