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
        asked = {term: self._postings.get(term, {}) for term in terms(query)}
        scores: dict[str, float] = {}
        for documents in asked.values():
            self._add(scores, documents)
        ranked = [(-score, id) for id, score in scores.items()]
        if after is not None:
            known = (-after[0], after[1])
            ranked = [each for each in ranked if each > known]
        # Thousands have a common word, and a page of them is shown: no more are put in order, or
        # asked about, than it takes to fill it.
        heapq.heapify(ranked)
        best: list[Hit] = []
        while ranked and len(best) < limit:
            score, id = heapq.heappop(ranked)
            if allowed(id):
                matched = tuple(term for term, documents in asked.items() if id in documents)
                best.append(Hit(id=id, score=-score, matched=matched))
        return best

    def _add(self, scores: dict[str, float], documents: dict[str, float]) -> None:
        """Add what one term counts in each of its documents."""
        count = len(self._lengths)
        rarity = math.log(1 + (count - len(documents) + 0.5) / (len(documents) + 0.5))
        longer = LENGTH_WEIGHT * count / self._total if self._total else 0.0
        for id, frequency in documents.items():
            norm = SATURATION * (1 - LENGTH_WEIGHT + longer * self._lengths[id])
            weight = rarity * frequency * (SATURATION + 1) / (frequency + norm)
            scores[id] = scores.get(id, 0.0) + weight
