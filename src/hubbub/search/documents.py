"""What of a document is searched, and how much each part of it counts."""

from collections.abc import Iterator
from typing import Final

from hubbub.search.analysis import WORDS
from hubbub.search.model import Document

NAME_WEIGHT: Final = 4.0
SERVER_WEIGHT: Final = 2.0
PARAMETER_WEIGHT: Final = 1.0
PARAMETER_TEXT_WEIGHT: Final = 0.5

NAME_SHARE: Final = 0.5
SENTENCE_SHARE: Final = 0.5

DESCRIPTION_CHARS_MAX: Final = 600
TEXT_CHARS_MAX: Final = 1000
SENTENCE_CHARS_MAX: Final = 300
"""What comes later in a text says little that is new of its meaning."""
PARAMETERS_MAX: Final = 100


def parameters_of(schema: object) -> tuple[tuple[str, str], ...]:
    """The parameters that an input schema declares."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ()
    return tuple((str(name), _told(part)) for name, part in properties.items())[:PARAMETERS_MAX]


def _told(schema: object) -> str:
    told = schema.get("description") if isinstance(schema, dict) else None
    return told if isinstance(told, str) else ""


def fields(document: Document) -> Iterator[tuple[str, float]]:
    """The texts whose words are indexed, and how much a word in each counts."""
    yield document.name, NAME_WEIGHT
    yield document.title, NAME_WEIGHT
    yield document.server, SERVER_WEIGHT
    yield document.description, 1.0
    yield " ".join(document.tags), 1.0
    for name, told in document.parameters:
        yield name, PARAMETER_WEIGHT
        yield told, PARAMETER_TEXT_WEIGHT


def shares(document: Document) -> Iterator[tuple[str, float]]:
    """The texts whose vectors make up its own, and how much each counts."""
    yield text(document), 1.0
    yield _split(document.name), NAME_SHARE
    yield first_sentence(document.title or document.description), SENTENCE_SHARE


def text(document: Document) -> str:
    """All of it in one text, for models that read whole texts."""
    parameters = "; ".join(
        f"{_split(name)}: {told}" if told else _split(name) for name, told in document.parameters
    )
    description = document.description[:DESCRIPTION_CHARS_MAX]
    if document.title:
        description = f"{document.title}. {description}"
    whole = f"{_split(document.server)}. {_split(document.name)}. {description}. ({parameters})"
    return whole[:TEXT_CHARS_MAX]


def first_sentence(told: str) -> str:
    """What a description says first, which is mostly what the thing is for."""
    told = told.strip()
    ends = [at for end in (". ", "! ", "? ", "\n") if (at := told.find(end)) >= 0]
    return told[: min(ends) + 1 if ends else len(told)][:SENTENCE_CHARS_MAX]


def _split(name: str) -> str:
    """The words of a name, which models do not know in one piece."""
    return " ".join(WORDS.findall(name))
