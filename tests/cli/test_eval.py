"""`hubbub eval`, which needs no hub."""

import json

import pytest
from click.testing import CliRunner

from hubbub.interfaces.cli import root
from tests.cli.conftest import environment

TOOLS = '{"id": "a", "name": "log", "description": "Who changed a file, and when."}\n'
QUERIES = '{"id": "1", "query": "who changed this file", "gold": [["a"]]}\n'


@pytest.fixture
def sets(tmp_path):
    for name in ("one", "other"):
        folder = tmp_path / "sets" / name
        folder.mkdir(parents=True)
        (folder / "tools.jsonl").write_text(TOOLS)
        (folder / "queries.jsonl").write_text(QUERIES)
    return tmp_path / "sets"


@pytest.fixture
def run(tmp_path):
    def run(*words):
        done = CliRunner(env=environment(tmp_path)).invoke(root, ["eval", "search", *words])
        return done.exit_code, done.stdout

    return run


def test_one_set_is_one_document(run, sets):
    code, out = run(str(sets / "one"), "--json")
    measured = json.loads(out)
    assert (code, measured["name"], measured["tools"], measured["queries"]) == (0, "one", 1, 1)
    assert sorted(measured["ways"]) == ["both", "meaning", "words"]
    assert measured["ways"]["both"]["ndcg@10"] == 1.0


def test_a_folder_of_sets_has_a_mean(run, sets):
    code, out = run(str(sets), "--json")
    measured = json.loads(out)
    assert (code, [each["name"] for each in measured["sets"]]) == (0, ["one", "other"])
    assert measured["mean"]["words"]["recall@1"] == 1.0


def test_people_get_a_table(run, sets):
    code, out = run(str(sets))
    assert code == 0
    assert all(word in out for word in ("nDCG@10", "words", "meaning", "fusion", "mean of 2 sets"))


def test_a_folder_without_questions_is_refused(run, tmp_path):
    assert run(str(tmp_path), "--json")[0] == 2
