"""How well documents fit by words: BM25 over postings in memory."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hubbub.search.analysis import terms

SATURATION: Final = 2.0
LENGTH_WEIGHT: Final = 0.6

Posting = tuple[NDArray[np.int32], NDArray[np.float32]]


class Words:
    """An index from terms to the slots of documents, changed one document at a time."""

    def __init__(self) -> None:
        self._postings: dict[str, dict[int, float]] = {}
        self._arrays: dict[str, Posting] = {}  # of those postings that were asked for as they are
        self._terms: dict[int, tuple[str, ...]] = {}
        self._lengths = np.zeros(0, np.float32)
        self._total = 0.0

    def put(self, slot: int, fields: Iterable[tuple[str, float]]) -> None:
        """Index a document anew. Each field is a text and how much a term in it counts."""
        self.remove(slot)
        counts: Counter[str] = Counter()
        for text, weight in fields:
            for term in terms(text):
                counts[term] += weight  # type: ignore[assignment]  # a Counter may hold floats
        for term, count in counts.items():
            self._postings.setdefault(term, {})[slot] = count
            self._arrays.pop(term, None)
        self._terms[slot] = tuple(counts)
        self._grow(slot)
        self._lengths[slot] = sum(counts.values())
        self._total += float(self._lengths[slot])

    def remove(self, slot: int) -> None:
        """Forget a document. One that is not there is not missed."""
        known = self._terms.pop(slot, None)
        if known is None:
            return
        for term in known:
            documents = self._postings[term]
            del documents[slot]
            self._arrays.pop(term, None)
            if not documents:
                del self._postings[term]
        self._total -= float(self._lengths[slot])
        self._lengths[slot] = 0.0

    def scores(self, query: Iterable[str], slots: int) -> NDArray[np.float32]:
        """What each of the first `slots` slots scores for these terms; 0 where none is in it."""
        scores = np.zeros(slots, np.float32)
        mean = self._total / len(self._terms) if self._total > 0 else 1.0
        # In an order of their own, so that the same query gives the same sums everywhere.
        for term in sorted(set(query)):
            if term in self._postings:
                documents, counts = self._posting(term)
                norm = SATURATION * (
                    1 - LENGTH_WEIGHT + LENGTH_WEIGHT / mean * self._lengths[documents]
                )
                weight = self._rarity(len(documents)) * (SATURATION + 1)
                scores[documents] += weight * counts / (counts + norm)
        return scores

    def matched(self, query: Mapping[str, str], slot: int) -> tuple[str, ...]:
        """The words of a query, by their terms, that this document has."""
        return tuple(word for term, word in query.items() if slot in self._postings.get(term, ()))

    def _posting(self, term: str) -> Posting:
        arrays = self._arrays.get(term)
        if arrays is None:
            documents = self._postings[term]
            arrays = self._arrays[term] = (
                np.fromiter(documents.keys(), np.int32, len(documents)),
                np.fromiter(documents.values(), np.float32, len(documents)),
            )
        return arrays

    def _rarity(self, documents: int) -> float:
        return math.log(1 + (len(self._terms) - documents + 0.5) / (documents + 0.5))

    def _grow(self, slot: int) -> None:
        if slot >= len(self._lengths):
            more = np.zeros(max(64, 2 * slot + 1), np.float32)
            more[: len(self._lengths)] = self._lengths
            self._lengths = more
