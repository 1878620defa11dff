"""Operations found by words, over an index that is kept in step with the catalogue."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from hubbub.catalog import store
from hubbub.catalog.events import OperationsDefined, OperationsRemoved
from hubbub.catalog.store import Stored
from hubbub.kernel.events import Bus
from hubbub.search.words import Hit, Words
from hubbub.storage.database import Database

PAGE = 1000

NAME_WEIGHT = 3.0
PARAMETER_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class Found:
    """An operation, and why it was found."""

    stored: Stored
    hit: Hit


class Finder:
    """Reads the catalogue when it is first asked, and follows it from then on."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._words: Words | None = None
        self._known: dict[str, Stored] = {}
        self._loading = asyncio.Lock()
        self._meanwhile: list[OperationsDefined | OperationsRemoved] = []
        bus.listen(OperationsDefined, self._changed)
        bus.listen(OperationsRemoved, self._changed)

    async def find(
        self,
        query: str,
        limit: int,
        allowed: Callable[[Stored], bool],
        after: tuple[float, str] | None = None,
    ) -> list[Found]:
        """The best operations that the caller may use, from the one after `after` on."""
        words = await self._index()
        hits = words.find(query, limit, lambda row: allowed(self._known[row]), after)
        return [Found(stored=self._known[hit.id], hit=hit) for hit in hits]

    async def _index(self) -> Words:
        async with self._loading:
            if self._words is None:
                self._words = await self._read()
            return self._words

    async def _read(self) -> Words:
        words = Words()
        self._known.clear()
        self._meanwhile.clear()
        after = ("", "")
        while True:
            async with self._database.reading() as tx:
                found = await store.page(tx, namespace=None, after=after, limit=PAGE)
            for stored in found:
                self._put(words, stored)
            if len(found) < PAGE:
                break
            after = (found[-1].spec.namespace, found[-1].spec.name)
        # What changed meanwhile may have been read before as it was.
        for event in self._meanwhile:
            self._follow(words, event)
        return words

    def _changed(self, event: OperationsDefined | OperationsRemoved) -> None:
        if self._words is not None:
            self._follow(self._words, event)
        elif self._loading.locked():
            self._meanwhile.append(event)

    def _follow(self, words: Words, event: OperationsDefined | OperationsRemoved) -> None:
        match event:
            case OperationsDefined(operations=operations):
                for stored in operations:
                    self._put(words, stored)
            case OperationsRemoved(rows=rows):
                for row in rows:
                    self._known.pop(row, None)
                    words.remove(row)
            case _:
                assert_never(event)

    def _put(self, words: Words, stored: Stored) -> None:
        self._known[stored.row] = stored
        words.put(stored.row, fields_of(stored))


def fields_of(stored: Stored) -> list[tuple[str, float]]:
    """What of a definition is indexed, and how much each part counts."""
    spec = stored.spec
    fields = [
        (spec.id, NAME_WEIGHT),
        (spec.title or "", NAME_WEIGHT),
        (spec.description, 1.0),
        (" ".join(spec.tags), 1.0),
    ]
    properties = spec.input_schema.get("properties") if isinstance(spec.input_schema, dict) else {}
    if isinstance(properties, dict):
        for name, schema in properties.items():
            told = schema.get("description", "") if isinstance(schema, dict) else ""
            fields.append((f"{name} {told}", PARAMETER_WEIGHT))
    return fields
