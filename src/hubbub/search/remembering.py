"""A model that reads each text once: what it gave is kept, and given again after a restart."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Unavailable
from hubbub.search import store
from hubbub.search.embedding import Embedder
from hubbub.search.vectors import read
from hubbub.storage.database import Database

PROBE: Final = "hub"
USED_AGAIN_AFTER: Final = timedelta(days=1)


class Remembering:
    """An embedder in front of another. Not for the hub's own, which makes a vector in less time
    than it takes to read one from a database."""

    def __init__(self, embedder: Embedder, database: Database, now: Clock) -> None:
        self._embedder = embedder
        self._database = database
        self._now = now

    @property
    def id(self) -> str:
        return self._embedder.id

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """What is kept of each text, and what the model says of the others.

        Raises:
            Unavailable: if the model cannot be asked now, or says what is no vector of its own.
        """
        if not self.dimensions:
            # It tells them with its first answer, and what is kept is not read unchecked.
            await self._embedder.embed([PROBE])
        ids = {text: self._id_of(text) for text in texts}
        known = await self._kept(list(ids.values()))
        missing = [text for text, id in ids.items() if id not in known]
        if missing:
            made = await self._embedder.embed(missing)
            if len(made) != len(missing):
                raise Unavailable("the model gave another number of vectors", model=self.id)
            for data in made:
                read(data, self.dimensions)
            fresh = {ids[text]: data for text, data in zip(missing, made, strict=True)}
            await self._database.write(
                partial(store.keep, model=self.id, vectors=fresh, now=self._now())
            )
            known |= fresh
        return [known[ids[text]] for text in texts]

    async def _kept(self, ids: list[str]) -> dict[str, bytes]:
        """Those that are kept and can be read; what cannot is made anew."""
        async with self._database.reading() as tx:
            found, since = await store.kept(tx, ids)
        now = self._now()
        if since is not None and now - since > USED_AGAIN_AFTER:
            await self._database.write(partial(store.used, ids=list(found), now=now))
        return {id: data for id, data in found.items() if _readable(data, self.dimensions)}

    def _id_of(self, text: str) -> str:
        return hashlib.sha256(f"{self.id}\0{text}".encode()).hexdigest()


def _readable(data: bytes, dimensions: int) -> bool:
    try:
        read(data, dimensions)
    except Unavailable:
        return False
    return True
