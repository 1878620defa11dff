"""How well a search finds what is known to be right: the measures, over a folder of questions.

`tools.jsonl` has a tool a line: `id`, `server`, `name`, `description`, `input_schema`;
`queries.jsonl` a question: `id`, `query`, `gold`, a list of groups of which each needs one tool.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final, TypeVar

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.search.documents import parameters_of
from hubbub.search.embedding import Embedder
from hubbub.search.finding import Search
from hubbub.search.model import Asked, By, Document

TOOLS: Final = "tools.jsonl"
QUERIES: Final = "queries.jsonl"
DEPTH: Final = 10
WAYS: Final[tuple[By, ...]] = ("words", "meaning", "both")

T = TypeVar("T")


class Tool(msgspec.Struct):
    id: str
    name: str
    server: str = ""
    description: str = ""
    input_schema: object = None


class Question(msgspec.Struct):
    query: str
    gold: list[list[str]]


class Measured(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Means over all questions, from 0 to 1; times in milliseconds, on one core."""

    recall_1: float = msgspec.field(name="recall@1")
    recall_5: float = msgspec.field(name="recall@5")
    recall_10: float = msgspec.field(name="recall@10")
    ndcg_10: float = msgspec.field(name="ndcg@10")
    mrr: float
    p50_ms: float
    p99_ms: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a folder came to, for each way of searching."""

    name: str
    tools: int
    queries: int
    index_s: float
    ways: dict[str, Measured]


async def evaluate(
    folder: Path, chosen: Embedder | None = None, *, own: Embedder | None = None
) -> Evaluation:
    """Search a folder's tools for its questions.

    Raises:
        Invalid: if the folder does not hold such files.
        HubError: if the model that was chosen cannot be asked.
    """
    tools = list(_lines(folder / TOOLS, Tool))
    questions = list(_lines(folder / QUERIES, Question))
    if not tools or not questions:
        raise _invalid(folder, "at least one tool and one question")
    began = time.perf_counter()
    search = Search(chosen, own=own)
    for tool in tools:
        search.put(_document(tool))
    await search.catch_up()
    index_s = time.perf_counter() - began
    return Evaluation(
        name=folder.name,
        tools=len(tools),
        queries=len(questions),
        index_s=round(index_s, 3),
        ways={way: await _measured(search, questions, way) for way in WAYS},
    )


def average(evaluations: Sequence[Evaluation]) -> dict[str, Measured]:
    """The mean over folders, each counting the same."""
    return {
        way: Measured(
            **{
                field: round(mean(getattr(each.ways[way], field) for each in evaluations), 4)
                for field in Measured.__struct_fields__
            }
        )
        for way in WAYS
    }


async def _measured(search: Search, questions: Sequence[Question], way: By) -> Measured:
    rows, times = [], []
    for question in questions:
        began = time.perf_counter()
        answer = await search.find(Asked(text=question.query, by=way), DEPTH, _anything)
        times.append((time.perf_counter() - began) * 1e3)
        rows.append(graded([hit.id for hit in answer.hits], question.gold))
        await asyncio.sleep(0)
    times.sort()
    recall_1, recall_5, recall_10, ndcg, mrr = (
        round(mean(each), 4) for each in zip(*rows, strict=True)
    )
    return Measured(
        recall_1=recall_1,
        recall_5=recall_5,
        recall_10=recall_10,
        ndcg_10=ndcg,
        mrr=mrr,
        p50_ms=round(times[len(times) // 2], 3),
        p99_ms=round(times[int(len(times) * 0.99)], 3),
    )


def graded(found: Sequence[str], gold: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """Recall@1, @5 and @10, nDCG@10 and the reciprocal rank of one ranking.

    A hit counts if it is of a group that no better one was of: two tools that do the same are one
    need that is met.
    """
    open_, ranks = [set(group) for group in gold if group], []
    needs = len(open_)
    for rank, id in enumerate(found[:DEPTH]):
        group = next((group for group in open_ if id in group), None)
        if group is not None:
            open_.remove(group)
            ranks.append(rank)
    if not needs:
        return (0.0, 0.0, 0.0, 0.0, 0.0)
    recalls = (sum(rank < depth for rank in ranks) / needs for depth in (1, 5, DEPTH))
    ideal = sum(_gain(rank) for rank in range(min(needs, DEPTH)))
    ndcg = sum(map(_gain, ranks)) / ideal
    return (*recalls, ndcg, 1 / (ranks[0] + 1) if ranks else 0.0)


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 2)


def _anything(id: str) -> bool:
    return True


def _document(tool: Tool) -> Document:
    return Document(
        id=tool.id,
        name=tool.name,
        server=tool.server,
        description=tool.description,
        parameters=parameters_of(tool.input_schema),
    )


def _lines(file: Path, kind: type[T]) -> Iterator[T]:
    decoder: Any = msgspec.json.Decoder(kind)
    at = 0
    try:
        with file.open("rb") as lines:
            for at, line in enumerate(lines, 1):  # noqa: B007  # it is told of below
                if line.strip():
                    yield decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise _invalid(file, f"one of its kind on line {at}: {error}") from error
    except OSError as error:
        raise _invalid(file, f"a file that can be read: {error.strerror}") from error


def _invalid(path: Path, expected: str) -> Invalid:
    return Invalid(
        f"{path}: expected {expected}", errors=[{"field": str(path), "expected": expected}]
    )
