"""Ranking by words: BM25 over an index in memory."""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from hubbub.search.analysis import terms

SATURATION: Final = 1.2
LENGTH_WEIGHT: Final = 0.6


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A document that was found, and by which of the terms asked for."""

    id: str
    score: float
    matched: tuple[str, ...]


class Words:
    """An index from terms to documents, changed one document at a time."""

    def __init__(self) -> None:
        self._postings: dict[str, dict[str, float]] = {}
        self._terms: dict[str, tuple[str, ...]] = {}
        self._lengths: dict[str, float] = {}
        self._total = 0.0

    def __len__(self) -> int:
        return len(self._lengths)

    def put(self, id: str, fields: Iterable[tuple[str, float]]) -> None:
        """Index a document anew. Each field is a text and how much a term in it counts."""
        self.remove(id)
        counts: Counter[str] = Counter()
        for text, weight in fields:
            for term in terms(text):
                counts[term] += weight  # type: ignore[assignment]  # a Counter may hold floats
        for term, count in counts.items():
            self._postings.setdefault(term, {})[id] = count
        length = float(sum(counts.values()))
        self._terms[id] = tuple(counts)
        self._lengths[id] = length
        self._total += length

    def remove(self, id: str) -> None:
        """Forget a document. One that is not there is not missed."""
        for term in self._terms.pop(id, ()):
            documents = self._postings[term]
            del documents[id]
            if not documents:
                del self._postings[term]
        self._total -= self._lengths.pop(id, 0.0)

    def find(
        self,
        query: str,
        limit: int,
        allowed: Callable[[str], bool],
        after: tuple[float, str] | None = None,
    ) -> list[Hit]:
        """The best documents that are allowed, best first; equal ones by id.

        Args:
            after: the score and the id of the last one that is known already.
        """
        scores: dict[str, float] = {}
        matched: dict[str, list[str]] = {}
        for term in dict.fromkeys(terms(query)):
            documents = self._postings.get(term, {})
            for id, weight in self._weights(documents).items():
                scores[id] = scores.get(id, 0.0) + weight
                matched.setdefault(id, []).append(term)
        ranked = ((-score, id) for id, score in scores.items())
        if after is not None:
            known = (-after[0], after[1])
            ranked = (each for each in ranked if each > known)
        best = heapq.nsmallest(limit, (each for each in ranked if allowed(each[1])))
        return [Hit(id=id, score=-score, matched=tuple(matched[id])) for score, id in best]

    def _weights(self, documents: dict[str, float]) -> dict[str, float]:
        count = len(self._lengths)
        rarity = math.log(1 + (count - len(documents) + 0.5) / (len(documents) + 0.5))
        longer = LENGTH_WEIGHT * count / self._total if self._total else 0.0
        weights: dict[str, float] = {}
        for id, frequency in documents.items():
            norm = SATURATION * (1 - LENGTH_WEIGHT + longer * self._lengths[id])
            weights[id] = rarity * frequency * (SATURATION + 1) / (frequency + norm)
        return weights
