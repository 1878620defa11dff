"""Tools and questions to learn from, and what of them may be learned."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hubbub.search.analysis import WORDS, terms
from hubbub.search.documents import first_sentence, parameters_of, text
from hubbub.search.model import Document

DESCRIPTION_CHARS: Final = 600
REST_CHARS_MIN: Final = 30
HALF_WORDS_MIN: Final = 8


@dataclass(frozen=True, kw_only=True)
class Tool:
    document: Document
    path: str = ""
    summary: str = ""

    @property
    def key(self) -> str:
        """The same for tools that say the same."""
        return f"{same(self.document.name)}|{same(first_sentence(self.document.description))}"


@dataclass(frozen=True, kw_only=True)
class Question:
    text: str
    gold: tuple[tuple[Tool, ...], ...]
    """Of each group, one is needed."""


@dataclass(frozen=True, kw_only=True)
class Set:
    name: str
    tools: tuple[Tool, ...]
    questions: tuple[Question, ...]


def read(folder: Path) -> list[Set]:
    """All sets in a folder."""
    return [_read(file.parent) for file in sorted(folder.glob("*/tools.jsonl"))]


def without(sets: Iterable[Set], held: Iterable[str]) -> list[Set]:
    """The other sets, less the tools whose name or description stands in those held out."""
    sets, held = list(sets), set(held)
    there = [tool.document for each in sets if each.name in held for tool in each.tools]
    names = {name for each in there if " " in (name := same(each.name))}
    told = {same(each.description) for each in there}

    def leaks(tool: Tool) -> bool:
        return same(tool.document.name) in names or same(tool.document.description) in told

    return [_kept(each, leaks) for each in sets if each.name not in held]


def same(text: str) -> str:
    """What is left of a text when its spelling is."""
    return " ".join(terms(text))


def split(name: str) -> str:
    return " ".join(WORDS.findall(name))


def texts(sets: Iterable[Set]) -> list[str]:
    """What the teacher is asked about: questions, tools, their names and first sentences."""
    found: dict[str, None] = {}
    for each in sets:
        for question in each.questions:
            found[question.text[:DESCRIPTION_CHARS]] = None
        for tool in each.tools:
            found |= dict.fromkeys(_told(tool.document))
    return [text for text in found if text.strip()]


def pairs(tool: Tool) -> Iterator[tuple[str, str]]:
    """Texts that belong together because they are of one tool."""
    document = tool.document
    description = document.description
    first = first_sentence(description)
    names = " ".join(split(name) for name, _ in document.parameters)
    told = " ".join(told for _, told in document.parameters if told)
    if first:
        yield first, f"{split(document.server)} {split(document.name)} {names}"
    if description:
        yield split(document.name), description[:DESCRIPTION_CHARS]
    if tool.summary and tool.path:
        yield tool.summary, f"{split(tool.path)} {names}"
    rest = description[len(first) :].strip()
    words = description.split()
    if len(rest) > REST_CHARS_MIN:
        yield first, rest[:DESCRIPTION_CHARS]
    elif len(terms(description)) >= HALF_WORDS_MIN:
        half = len(words) // 2
        yield " ".join(words[:half]), f"{' '.join(words[half:])} {split(document.name)}"
    if len(told) > REST_CHARS_MIN:
        yield first, f"{names} {told[:400]}"


def _told(document: Document) -> Iterator[str]:
    yield first_sentence(document.description)
    yield f"{split(document.server)} {split(document.name)}".strip()
    yield text(document)


def _kept(each: Set, leaks: Any) -> Set:
    tools = tuple(tool for tool in each.tools if not leaks(tool))
    questions = []
    for question in each.questions:
        gold = tuple(
            group
            for all_of in question.gold
            if (group := tuple(tool for tool in all_of if not leaks(tool)))
        )
        if gold:
            questions.append(replace(question, gold=gold))
    return Set(name=each.name, tools=tools, questions=tuple(questions))


def _read(folder: Path) -> Set:
    tools = {row["id"]: _tool(row) for row in _rows(folder / "tools.jsonl")}
    questions = [
        Question(
            text=row["query"],
            gold=tuple(tuple(tools[id] for id in group if id in tools) for group in row["gold"]),
        )
        for row in _rows(folder / "queries.jsonl")
    ]
    return Set(name=folder.name, tools=tuple(tools.values()), questions=tuple(questions))


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _tool(row: Mapping[str, Any]) -> Tool:
    document = Document(
        id=row["id"],
        name=row["name"],
        server=row.get("server", ""),
        description=row["description"],
        parameters=parameters_of(row.get("input_schema")),
    )
    return Tool(document=document, path=row.get("path", ""), summary=row.get("summary", ""))
