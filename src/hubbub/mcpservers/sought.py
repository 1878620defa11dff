"""What is searched: documents by their words. One small seam between servers and the search."""

from collections.abc import Callable
from dataclasses import dataclass

from hubbub.search.words import Hit, Words

NAME_WEIGHT = 3.0
SERVER_WEIGHT = 2.0
PARAMETER_WEIGHT = 0.5

Allowed = Callable[[str], bool]
"""Whether the document with this id may be found."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A server or a tool, as it is looked for."""

    id: str
    name: str
    server: str = ""
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    """Names, and what is said of them."""


class Documents:
    """An index, changed one document at a time."""

    def __init__(self) -> None:
        self._words = Words()

    def __len__(self) -> int:
        return len(self._words)

    def put(self, document: Document) -> None:
        """Index a document, as new or in place of the one with its id."""
        fields = [
            (document.name, NAME_WEIGHT),
            (document.title, NAME_WEIGHT),
            (document.server, SERVER_WEIGHT),
            (document.description, 1.0),
            (" ".join(document.tags), 1.0),
        ]
        fields += [(f"{name} {told}", PARAMETER_WEIGHT) for name, told in document.parameters]
        self._words.put(document.id, fields)

    def remove(self, id: str) -> None:
        """Forget a document. One that is not there is not missed."""
        self._words.remove(id)

    async def find(
        self, text: str, limit: int, allowed: Allowed, after: tuple[float, str] | None = None
    ) -> list[Hit]:
        """The best documents that are allowed, best first."""
        return self._words.find(text, limit, allowed, after)
