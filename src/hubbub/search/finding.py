"""Documents found by what is asked for, while models come, go and fail."""

import asyncio
import logging
import random
from collections.abc import Sequence
from itertools import islice
from typing import Final

from hubbub.kernel.errors import HubError, TimedOut, Unavailable
from hubbub.search.analysis import asked as terms_of
from hubbub.search.clauses import clauses
from hubbub.search.documents import shares, text
from hubbub.search.embedding import Embedder
from hubbub.search.index import Index, Part
from hubbub.search.model import Allowed, Answer, Asked, Document, Progress
from hubbub.search.static import built_in
from hubbub.search.vectors import Vector, joined, read

log = logging.getLogger(__name__)

BATCH: Final = 64
QUERY_S: Final = 3.0
"""How long a query waits for its vectors before it is answered without them."""
RETRY_S: Final = (1.0, 60.0)
"""How long a model that failed is left alone: at first, and at most."""


class Search:
    """An index and its models. What changes is found at once by words, and by meaning at once
    with the model that comes with the hub, with others as soon as they have read it."""

    def __init__(
        self,
        chosen: Embedder | None = None,
        *,
        own: Embedder | None = None,
        by_meaning: bool = True,
    ) -> None:
        """
        Args:
            chosen: a model to search by in place of the hub's own, which serves until it is ready.
            own: the hub's own, if it is not the one that comes with it.
            by_meaning: without, there is no model at all.
        """
        self._own = _Reading(own or built_in(), whole=False) if by_meaning else None
        self._chosen = _Reading(chosen, whole=True) if by_meaning and chosen else None
        self._index = Index(each.id for each in self._readings())
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._index)

    def put(self, document: Document) -> None:
        """Index a document, as new or in place of the one with its id."""
        self._index.put(document)
        for reading in self._readings():
            reading.waiting[document.id] = document
        self._news.set()

    def remove(self, id: str) -> None:
        """Forget a document, and all that was made of it."""
        self._index.remove(id)
        for reading in self._readings():
            reading.waiting.pop(id, None)

    async def find(
        self,
        asked: Asked,
        limit: int,
        allowed: Allowed,
        after: tuple[float, str] | None = None,
    ) -> Answer:
        """The best documents that are allowed, best first.

        Args:
            after: the score and the id of the last one that is known already.
        """
        texts = [f"{asked.text} {asked.keywords}".strip(), *clauses(asked.text)]
        words = [terms_of(text) for text in texts]
        reading, vectors, note = await self._meant(texts) if asked.by != "words" else _NOTHING
        parts = [
            Part(terms=each, vector=vectors[at] if vectors else None)
            for at, each in enumerate(words)
        ]
        model = None if reading is None else reading.id
        hits = self._index.find(parts, limit, allowed, model=model, after=after, by=asked.by)
        return Answer(hits=hits, note=note)

    async def catch_up(self) -> None:
        """Have every model read what it has not read yet.

        Raises:
            HubError: says why one could not.
        """
        for reading in self._readings():
            await reading.catch_up(self._index)

    async def run(self) -> None:
        """Have the chosen model read what it has not read yet, for as long as this runs."""
        reading, pause_s = self._chosen, RETRY_S[0]
        while reading is not None:
            await self._news.wait()
            self._news.clear()
            try:
                await reading.catch_up(self._index)
                pause_s = RETRY_S[0]
            except HubError as error:
                log.warning("%s reads no further: %s", reading.id, error.message)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, RETRY_S[1])
                self._news.set()

    def progress(self) -> list[Progress]:
        """How far each model is, the one that is preferred first."""
        serving = next((each for each in self._readings() if each.ready), None)
        return [
            Progress(
                model=each.id,
                embedded=len(self._index) - len(each.waiting),
                total=len(self._index),
                serving=each is serving,
                problem=each.problem,
            )
            for each in self._readings()
        ]

    async def _meant(
        self, texts: Sequence[str]
    ) -> "tuple[_Reading | None, list[Vector] | None, str | None]":
        """By whose vectors is searched, those of the texts, and what is to be said of it."""
        note = None
        if self._chosen is not None:
            if self._chosen.ready:
                try:
                    return self._chosen, await self._chosen.vectors(texts), None
                except HubError as error:
                    note = f"{self._chosen.id} cannot be asked: {error.message}"
            else:
                unread = len(self._chosen.waiting)
                note = f"{self._chosen.id} has {unread} of {len(self)} texts still to read"
                if self._chosen.problem is not None:
                    note = f"{note}, and cannot be asked: {self._chosen.problem}"
            note = f"{note}; found with the hub's own model instead"
        if self._own is None:
            return None, None, note
        await self._own.catch_up(self._index)
        return self._own, await self._own.vectors(texts), note

    def _readings(self) -> "list[_Reading]":
        return [each for each in (self._chosen, self._own) if each is not None]


class _Reading:
    """A model, and what it has not read yet."""

    def __init__(self, embedder: Embedder, *, whole: bool) -> None:
        self._embedder = embedder
        # A model that sums up tokens gains from a text's parts; to others each text is dear.
        self._whole = whole
        self._turn = asyncio.Lock()
        self.waiting: dict[str, Document] = {}
        self.ready = not whole
        self.problem: str | None = None

    @property
    def id(self) -> str:
        return self._embedder.id

    async def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """
        Raises:
            HubError: says why there are none.
        """
        try:
            async with asyncio.timeout(QUERY_S):
                made = await self._embedder.embed(texts)
            return [read(data, self._embedder.dimensions) for data in made]
        except TimeoutError as error:
            raise TimedOut("no vectors in time", model=self.id) from error

    async def catch_up(self, index: Index) -> None:
        """Read what waits.

        Raises:
            HubError: says why it was not all read; what was read is.
        """
        async with self._turn:
            while batch := list(islice(self.waiting.values(), BATCH)):
                try:
                    vectors = await self._read(batch)
                except HubError as error:
                    self.problem = error.message
                    raise
                for document, vector in zip(batch, vectors, strict=True):
                    # It may have changed, or gone, meanwhile.
                    if self.waiting.get(document.id) is document:
                        del self.waiting[document.id]
                        index.put_vector(self.id, document.id, vector)
                await asyncio.sleep(0)
            self.ready, self.problem = True, None

    async def _read(self, documents: Sequence[Document]) -> list[Vector]:
        """A vector for each document."""
        parts = [
            [(text(document), 1.0)] if self._whole else list(shares(document))
            for document in documents
        ]
        data = await self._embedder.embed([text for each in parts for text, _ in each])
        if len(data) != sum(map(len, parts)):
            raise Unavailable("the model gave another number of vectors", model=self.id)
        vectors = iter([read(each, self._embedder.dimensions) for each in data])
        return [joined((next(vectors), weight) for _, weight in each) for each in parts]


_NOTHING: Final = (None, None, None)
