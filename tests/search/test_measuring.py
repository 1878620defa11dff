"""The measures are what their names say."""

import asyncio
import json
from math import log2

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.search.measuring import evaluate, graded

TOOLS = [
    {"id": "a", "server": "git", "name": "log", "description": "Who changed a file, and when."},
    {"id": "b", "server": "git", "name": "commit", "description": "Keep what was changed."},
    {"id": "c", "name": "getForecast", "input_schema": {"properties": {"city": {}}}},
]
QUERIES = [
    {"id": "1", "query": "who changed this file", "gold": [["a"]]},
    {"id": "2", "query": "forecast for a city", "gold": [["c", "d"]]},
]


def folder_of(path, tools=TOOLS, queries=QUERIES):
    path.mkdir(exist_ok=True)
    for name, rows in (("tools", tools), ("queries", queries)):
        (path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("found", "gold", "measures"),
    [
        ("abc", ["a"], (1, 1, 1, 1, 1)),
        ("bac", ["a"], (0, 1, 1, 1 / log2(3), 1 / 2)),
        ("123456a", ["a"], (0, 0, 1, 1 / log2(8), 1 / 7)),
        ("ab", ["a", "b"], (1 / 2, 1, 1, 1, 1)),
        ("acb", ["a", "b"], (1 / 2, 1, 1, (1 + 1 / 2) / (1 + 1 / log2(3)), 1)),
        ("ab", ["ab"], (1, 1, 1, 1, 1)),  # two tools that do the same are one need
        ("", ["a"], (0, 0, 0, 0, 0)),
        ("ab", [], (0, 0, 0, 0, 0)),
    ],
)
def test_a_ranking_is_graded_by_the_needs_that_it_meets(found, gold, measures):
    assert graded(list(found), [list(group) for group in gold]) == pytest.approx(measures)


def test_a_folder_is_measured_each_way(tmp_path):
    measured = asyncio.run(evaluate(folder_of(tmp_path / "some")))
    assert (measured.name, measured.tools, measured.queries) == ("some", 3, 2)
    assert [each.ndcg_10 for each in measured.ways.values()] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("broken", ["missing", "empty", "no JSON", "another kind"])
def test_a_folder_of_another_kind_is_refused(tmp_path, broken):
    folder = folder_of(tmp_path / "some")
    queries = folder / "queries.jsonl"
    if broken == "missing":
        queries.unlink()
    else:
        queries.write_text({"empty": "", "no JSON": "{", "another kind": '{"query": 1}'}[broken])
    with pytest.raises(Invalid) as refused:
        asyncio.run(evaluate(folder))
    (error,) = refused.value.details["errors"]
    assert error["field"].startswith(str(folder))
