"""What is searched, and what is found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

By = Literal["words", "meaning", "both"]
Allowed = Callable[[str], bool]
"""Whether the document with this id may be found."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """An operation, a tool or a server, as it is looked for."""

    id: str
    name: str
    server: str = ""
    """Whose it is: a server's name, or a namespace."""
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    """Names, and what is said of them."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is looked for."""

    text: str
    """In the words of whoever asks. A long text is looked for as a whole and clause by clause."""
    keywords: str = ""
    """More words that should stand in what is found."""
    by: By = "both"


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A document that was found, and why."""

    id: str
    score: float
    """From 0 to 1; only the order between the hits of one query means anything."""
    matched: tuple[str, ...]
    """The words of the query that it has."""
    meaning: float | None
    """How near it is to the whole query, from -1 to 1; nothing where meaning was not asked."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found, and what stood in the way of finding more."""

    hits: list[Hit]
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a model is with the documents."""

    model: str
    embedded: int
    total: int
    serving: bool
    """Whether its vectors are searched now; until it is ready, those of the hub's own model are."""
    problem: str | None = None
    """Why it gets no further."""
