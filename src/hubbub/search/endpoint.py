"""A model behind an OpenAI-compatible address: `POST {address}/embeddings`."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from hubbub.kernel.errors import Unavailable

TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024


class _Item(msgspec.Struct):
    index: Annotated[int, msgspec.Meta(ge=0)]
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


class EndpointEmbedder:
    """Asks for every text. Its dimensions are known once it has answered."""

    dimensions = 0

    def __init__(self, address: str, model: str, key_file: Path | None = None) -> None:
        self._url = f"{address.rstrip('/')}/embeddings"
        self._model = model
        self._key_file = key_file
        self.id = f"{address}#{model}"

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """
        Raises:
            Unavailable: if it does not answer, refuses, or answers what are no vectors.
        """
        vectors = _vectors(await self._asked(texts), len(texts))
        if self.dimensions not in (0, vectors.shape[1]):
            raise Unavailable(
                "the embedder gives vectors of another length than before",
                before=self.dimensions,
                now=vectors.shape[1],
            )
        self.dimensions = vectors.shape[1]
        return [row.tobytes() for row in vectors]

    async def _asked(self, texts: Sequence[str]) -> bytes:
        # It takes a third of a start to load, and most hubs never ask anybody.
        http: Any = import_module("aiohttp")
        timeout = http.ClientTimeout(total=TIMEOUT_S)
        question = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            async with (
                http.ClientSession(timeout=timeout) as session,
                session.post(self._url, json=question, headers=self._headers()) as answer,
            ):
                # A redirect of what carries a key is not followed into the unknown: aiohttp drops
                # the header for another host, and what that one says is no answer.
                if answer.status != 200:
                    raise Unavailable(
                        f"the embedder answered {answer.status}", status=answer.status
                    )
                return await _whole(answer.content)
        except (http.ClientError, TimeoutError) as error:
            raise Unavailable("the embedder does not answer", url=self._url) from error

    def _headers(self) -> dict[str, str]:
        if self._key_file is None:
            return {}
        try:
            # Read each time, so that a new key needs no new start.
            return {"Authorization": f"Bearer {self._key_file.read_text('utf-8').strip()}"}
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                "the embedder's key cannot be read", file=str(self._key_file)
            ) from error


async def _whole(stream: Any) -> bytes:
    data = bytearray()
    async for chunk in stream.iter_any():
        data += chunk
        if len(data) > ANSWER_BYTES_MAX:
            raise Unavailable("the embedder's answer is too long", bytes_max=ANSWER_BYTES_MAX)
    return bytes(data)


def _vectors(data: bytes, count: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """What an answer holds, in the order of what was asked, each of length one."""
    try:
        items = msgspec.json.decode(data, type=_Answer).data
    except msgspec.MsgspecError as error:
        raise Unavailable("the embedder's answer holds no vectors") from error
    items.sort(key=lambda item: item.index)
    sizes = {len(item.embedding) for item in items}
    if [item.index for item in items] != list(range(count)) or len(sizes) != 1 or 0 in sizes:
        raise Unavailable("the embedder's answer is not one vector for each text")
    return lengthened(np.array([item.embedding for item in items], np.float64))


def lengthened(
    vectors: "np.ndarray[Any, np.dtype[Any]]",
) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Vectors of any kind of number, as float32 of length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype("<f4")
