"""Operations found by what they do, over an index that is kept in step with the catalogue."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, assert_never

from hubbub.catalog import store
from hubbub.catalog.events import OperationsDefined, OperationsRemoved
from hubbub.catalog.store import Stored
from hubbub.kernel.events import Bus
from hubbub.kernel.ids import looks_like_id
from hubbub.search.documents import parameters_of
from hubbub.search.embedding import Embedder
from hubbub.search.model import Asked, Document, Hit, Progress
from hubbub.storage.database import Database

if TYPE_CHECKING:
    # It stands on numpy, which would make up a tenth of the start of a hub.
    from hubbub.search.finding import Search

PAGE = 200


@dataclass(frozen=True, kw_only=True)
class Found:
    """An operation, and why it was found."""

    stored: Stored
    hit: Hit


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Operations, best first, and what stood in the way of finding more."""

    found: list[Found]
    note: str | None = None


class Finder:
    """Reads the catalogue when it is first asked, and follows it from then on."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        chosen: Embedder | None = None,
        *,
        by_meaning: bool = True,
    ) -> None:
        self._database = database
        self._chosen = chosen
        self._by_meaning = by_meaning
        self._search: Search | None = None
        self._known: dict[str, Stored] = {}
        self._ids: dict[str, str] = {}  # of operations, by their rows
        self._loading = asyncio.Lock()
        self._meanwhile: list[OperationsDefined | OperationsRemoved] = []
        bus.listen(OperationsDefined, self._changed)
        bus.listen(OperationsRemoved, self._changed)

    async def find(
        self,
        asked: Asked,
        limit: int,
        allowed: Callable[[Stored], bool],
        after: tuple[float, str] | None = None,
    ) -> Findings:
        """The best operations that the caller may use, from the one after `after` on."""
        search = await self._index()
        answer = await search.find(asked, limit, lambda id: allowed(self._known[id]), after)
        found = [Found(stored=self._known[hit.id], hit=hit) for hit in answer.hits]
        return Findings(found=found, note=answer.note)

    async def run(self) -> None:
        """Have the chosen model, if there is one, read the catalogue and what is new in it."""
        if self._chosen is not None:
            await (await self._index()).run()

    async def progress(self) -> list[Progress]:
        """How far each model is with the catalogue."""
        return (await self._index()).progress()

    async def _index(self) -> "Search":
        async with self._loading:
            if self._search is None:
                self._search = await self._read()
            return self._search

    async def _read(self) -> "Search":
        finding = import_module("hubbub.search.finding")
        search: Search = finding.Search(self._chosen, by_meaning=self._by_meaning)
        self._known.clear()
        self._ids.clear()
        self._meanwhile.clear()
        after = ("", "")
        while True:
            async with self._database.reading() as tx:
                found = await store.page(tx, namespace=None, after=after, limit=PAGE)
            for stored in found:
                self._put(search, stored)
            if len(found) < PAGE:
                break
            after = (found[-1].spec.namespace, found[-1].spec.name)
        # What changed meanwhile may have been read before as it was.
        for event in self._meanwhile:
            self._follow(search, event)
        return search

    def _changed(self, event: OperationsDefined | OperationsRemoved) -> None:
        if self._search is not None:
            self._follow(self._search, event)
        elif self._loading.locked():
            self._meanwhile.append(event)

    def _follow(self, search: "Search", event: OperationsDefined | OperationsRemoved) -> None:
        match event:
            case OperationsDefined(operations=operations):
                for stored in operations:
                    self._put(search, stored)
            case OperationsRemoved(rows=rows):
                for row in rows:
                    id = self._ids.pop(row, None)
                    if id is not None and self._known[id].row == row:
                        del self._known[id]
                        search.remove(id)
            case _:
                assert_never(event)

    def _put(self, search: "Search", stored: Stored) -> None:
        self._ids[stored.row] = stored.spec.id
        self._known[stored.spec.id] = stored
        search.put(document(stored))


def document(stored: Stored) -> Document:
    """A definition as it is looked for. Its id, not its row, so that all databases rank alike."""
    spec = stored.spec
    # The id of a spoke stands in its namespaces, and says nothing of what they are for.
    words = (each for each in spec.namespace.split(".") if not looks_like_id(each))
    return Document(
        id=spec.id,
        name=spec.name,
        server=".".join(words),
        title=spec.title or "",
        description=spec.description,
        tags=tuple(spec.tags),
        parameters=parameters_of(spec.input_schema),
    )
