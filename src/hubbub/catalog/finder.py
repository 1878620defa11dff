"""Operations found by words, over an index that is kept in step with the catalogue."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

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
        bus.listen(OperationsDefined, self._defined)
        bus.listen(OperationsRemoved, self._removed)

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
                # Listening began before this: what is defined meanwhile is put on top.
                words = Words()
                after = ("", "")
                while True:
                    async with self._database.reading() as tx:
                        found = await store.page(tx, namespace=None, after=after, limit=PAGE)
                    for stored in found:
                        self._put(words, stored)
                    if len(found) < PAGE:
                        break
                    after = (found[-1].spec.namespace, found[-1].spec.name)
                self._words = words
            return self._words

    def _put(self, words: Words, stored: Stored) -> None:
        self._known[stored.row] = stored
        words.put(stored.row, fields_of(stored))

    def _defined(self, event: OperationsDefined) -> None:
        if self._words is not None:
            for stored in event.operations:
                self._put(self._words, stored)

    def _removed(self, event: OperationsRemoved) -> None:
        for row in event.rows:
            self._known.pop(row, None)
            if self._words is not None:
                self._words.remove(row)


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
