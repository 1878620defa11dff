"""What is searched of servers and tools. One small seam between them and the search."""

from importlib import import_module
from typing import TYPE_CHECKING

from hubbub.search.embedding import Embedder
from hubbub.search.model import Allowed, Asked, Document, Hit

if TYPE_CHECKING:
    # It stands on numpy, which would make up a tenth of the start of a hub.
    from hubbub.search.finding import Search

__all__ = ["Document", "Documents", "Hit"]


class Documents:
    """An index, changed one document at a time, and made with the first of them."""

    def __init__(self, chosen: Embedder | None = None, *, by_meaning: bool = True) -> None:
        """
        Args:
            chosen: a model to search by in place of the hub's own.
            by_meaning: without, there is no model at all.
        """
        self._chosen = chosen
        self._by_meaning = by_meaning
        self._search: Search | None = None

    def __len__(self) -> int:
        return 0 if self._search is None else len(self._search)

    def put(self, document: Document) -> None:
        """Index a document, as new or in place of the one with its id."""
        if self._search is None:
            search = import_module("hubbub.search.finding").Search
            self._search = search(self._chosen, by_meaning=self._by_meaning)
        self._search.put(document)

    def remove(self, id: str) -> None:
        """Forget a document. One that is not there is not missed."""
        if self._search is not None:
            self._search.remove(id)

    async def run(self) -> None:
        """Have a chosen model read what it has not read yet, for as long as this runs."""
        if self._chosen is not None and self._by_meaning:
            search = import_module("hubbub.search.finding").Search
            self._search = self._search or search(self._chosen, by_meaning=True)
            await self._search.run()

    async def find(
        self, text: str, limit: int, allowed: Allowed, after: tuple[float, str] | None = None
    ) -> list[Hit]:
        """The best documents that are allowed, best first."""
        if self._search is None:
            return []
        return (await self._search.find(Asked(text=text), limit, allowed, after)).hits
