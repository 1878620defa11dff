"""Documents in memory, ranked by words and by meaning together. It waits for nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hubbub.search.documents import fields
from hubbub.search.model import Allowed, By, Document, Hit
from hubbub.search.vectors import Vector, Vectors
from hubbub.search.words import Words

MEANING_WEIGHT: Final = 0.6
CLAUSE_WEIGHT: Final = 0.6
NEAR: Final = 0.2
"""What shares no word with a query is found if it is at least as near as this."""
DIGITS: Final = 6
"""Of a score: those beyond differ with the place that a document has in memory."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A query, or a clause of one."""

    terms: Mapping[str, str]
    """Each with the word that it stands for."""
    vector: Vector | None = None


class Index:
    """Documents by their ids; each change is one row."""

    def __init__(self, models: Iterable[str]) -> None:
        """
        Args:
            models: those whose vectors are kept.
        """
        self._words = Words()
        self._vectors = {model: Vectors() for model in models}
        self._slots: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, id: str) -> bool:
        return id in self._slots

    def put(self, document: Document) -> None:
        """Index a document anew by its words. Its vectors stay until it is given others."""
        slot = self._slots.get(document.id)
        if slot is None:
            slot = self._slots[document.id] = self._slot(document.id)
        self._words.put(slot, fields(document))

    def put_vector(self, model: str, id: str, vector: Vector) -> None:
        """What a document means to a model. One that was removed meanwhile is not missed."""
        if id in self._slots:
            self._vectors[model].put(self._slots[id], vector)

    def remove(self, id: str) -> None:
        """Forget a document. One that is not there is not missed."""
        slot = self._slots.pop(id, None)
        if slot is None:
            return
        self._words.remove(slot)
        for vectors in self._vectors.values():
            vectors.remove(slot)
        self._ids[slot] = None
        self._free.append(slot)

    def find(
        self,
        parts: Sequence[Part],
        limit: int,
        allowed: Allowed,
        *,
        model: str | None = None,
        after: tuple[float, str] | None = None,
        by: By = "both",
    ) -> list[Hit]:
        """The best documents that are allowed, best first; equal ones by id.

        Args:
            parts: the whole query, then its clauses.
            model: by whose vectors; by words alone without one.
            after: the score and the id of the last one that is known already.
        """
        if not self._slots or not parts:
            return []
        asked = _Asked(self._ids, allowed)
        vectors = None if model is None or by == "words" else self._vectors[model]
        ranked = [self._ranked(part, asked, vectors, by) for part in parts]
        scores, found = ranked[0]
        if len(ranked) > 1:
            best = np.maximum.reduce([each for each, _ in ranked[1:]])
            scores = (scores + CLAUSE_WEIGHT * best) / (1 + CLAUSE_WEIGHT)
            found = np.logical_or.reduce([each for _, each in ranked])
        best_first = islice(asked.walk(_rounded(scores), found, after), limit)
        near = self._nearness(parts[0], vectors)
        return [
            Hit(
                id=id,
                score=score,
                matched=()
                if by == "meaning"
                else self._words.matched(parts[0].terms, self._slots[id]),
                meaning=None if near is None else round(float(near[self._slots[id]]), DIGITS),
            )
            for score, id in best_first
        ]

    def _ranked(
        self, part: Part, asked: "_Asked", vectors: Vectors | None, by: By
    ) -> tuple[Scores, NDArray[np.bool_]]:
        """The scores of all slots for one part, from 0 to 1, and which are found by it."""
        near = self._nearness(part, vectors)
        if near is None:
            words = self._words.scores(part.terms, len(self._ids))
            return asked.scaled(words), words > 0
        if by == "meaning":
            return asked.scaled(near), near >= NEAR
        words = self._words.scores(part.terms, len(self._ids))
        fused = (1 - MEANING_WEIGHT) * asked.scaled(words) + MEANING_WEIGHT * asked.scaled(near)
        return fused, (words > 0) | (near >= NEAR)

    def _nearness(self, part: Part, vectors: Vectors | None) -> Scores | None:
        if vectors is None or part.vector is None:
            return None
        return vectors.scores(part.vector, len(self._ids))

    def _slot(self, id: str) -> int:
        if self._free:
            slot = self._free.pop()
            self._ids[slot] = id
            return slot
        self._ids.append(id)
        return len(self._ids) - 1


def _rounded(scores: Scores) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.asarray(scores, np.float64).round(DIGITS)
    return rounded


class _Asked:
    """Who may be found. Nobody is asked about who could not be shown."""

    def __init__(self, ids: Sequence[str | None], allowed: Allowed) -> None:
        self._ids = ids
        self._allowed = allowed
        self._known: dict[str, bool] = {}

    def scaled(self, scores: Scores) -> Scores:
        """Scores as parts of the best one that is allowed.

        What is not allowed must not tell of itself, not even by how far it moves the others.
        """
        best = self._best(scores)
        return np.clip(scores / best, 0.0, 1.0) if best > 0 else np.zeros_like(scores)

    def walk(
        self, scores: NDArray[np.float64], found: NDArray[np.bool_], after: tuple[float, str] | None
    ) -> Iterator[tuple[float, str]]:
        """Those found that are allowed and come after `after`, best first, equal ones by id."""
        (slots,) = np.nonzero(found)
        slots = slots[np.argsort(-scores[slots], kind="stable")]
        for score, equal in groupby(slots, key=lambda slot: float(scores[slot])):
            if after is not None and score > after[0]:
                continue
            for id in sorted(id for slot in equal if (id := self._ids[int(slot)]) is not None):
                if (after is None or (-score, id) > (-after[0], after[1])) and self._may(id):
                    yield score, id

    def _best(self, scores: Scores) -> float:
        best = int(scores.argmax())
        if self._may(self._ids[best]):  # it mostly is, and then the rest need no order
            return float(scores[best])
        order = np.argsort(-scores, kind="stable")
        return next((float(scores[slot]) for slot in order if self._may(self._ids[slot])), 0.0)

    def _may(self, id: str | None) -> bool:
        if id is None:
            return False
        known = self._known.get(id)
        if known is None:
            known = self._known[id] = self._allowed(id)
        return known
