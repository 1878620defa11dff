"""`hubbub demo` does what it shows, and leaves nothing behind."""

import json
import os
import re
import signal

import pytest
from click.testing import CliRunner

from hubbub.interfaces.cli import root
from hubbub.interfaces.cli.demo import story
from hubbub.interfaces.cli.demo.telling import Ending, teller
from tests.cli.conftest import ended, environment, start

pytestmark = pytest.mark.slow

TITLES = [
    *("a hub", "a spoke", "another spoke", "find"),
    *("call", "nested calls", "a stream", "stop"),
    *("MCP servers", "an HTTP API", "an agent"),
]


@pytest.fixture
def shown(tmp_path):
    """A folder to be shown, and an empty place for what is temporary."""
    (tmp_path / "shown").mkdir()
    (tmp_path / "temporary").mkdir()
    for name in ("one.txt", "two.txt"):
        (tmp_path / "shown" / name).write_text("a line\nanother\n")
    return tmp_path


def processes(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"process (\d+)", text)]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def assert_nothing_left(home, said: str, count: int = 2) -> None:
    assert list((home / "temporary").iterdir()) == []
    assert not (home / "config").exists()
    assert [gone(pid) for pid in processes(said)] == [True] * count


def demo(home, *words: str):
    where = ("--root", str(home / "shown"))
    return start(home, "demo", *where, *words, TMPDIR=str(home / "temporary"))


def test_it_shows_a_hub_at_work_and_leaves_nothing(shown):
    code, out, err = ended(demo(shown, "--json"))
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [step["title"] for step in found["steps"]] == TITLES
    nested, stopped = found["trees"]
    assert (nested["call"]["status"], len(nested["children"])) == ("completed", 3)
    assert nested["call"]["output"] == {"files": 2, "lines": 4}
    assert {each["call"]["status"] for each in (stopped, *stopped["children"])} == {"aborted"}
    assert len(stopped["children"]) == 3
    assert_nothing_left(shown, out)


def test_people_are_told_step_by_step_and_what_to_try_next(shown):
    code, out, err = ended(demo(shown))
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith("✓ a stream")] != []
    assert "└── ■ demo.work  aborted" in out
    assert "What to try next" in out


def test_it_is_left_running_until_it_is_told_to_stop(shown):
    process = demo(shown, "--keep", "--json")
    assert process.stdout is not None
    out = process.stdout.readline()
    found = json.loads(out)
    where = ("--url", found["url"], "--key-file", found["keyFile"])
    asked = start(shown, "status", "--json", *where)
    code, status, _ = ended(asked)
    assert (code, json.loads(status)["spokes"]) == (0, 2)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 0
    assert_nothing_left(shown, out)


def test_a_command_to_be_copied_is_whole_however_narrow_the_screen(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "40")
    ending = Ending(
        url="http://127.0.0.1:4820", key_file=tmp_path / "key", trees=[], stats=[], spokes={}
    )
    teller(as_json=False).ended(ending)
    assert f"login http://127.0.0.1:4820 <{tmp_path / 'key'} " in capsys.readouterr().out


def test_a_step_that_fails_is_named_and_all_is_cleaned_up(shown, monkeypatch):
    monkeypatch.setattr(story, "WORDS", "xyzzy")
    monkeypatch.setattr("tempfile.tempdir", str(shown / "temporary"))
    env = environment(shown)
    words = ["demo", "--root", str(shown / "shown")]
    done = CliRunner(env=env).invoke(root, words, catch_exceptions=False)
    assert done.exit_code == 1
    assert "the step `find` failed" in done.stderr
    assert_nothing_left(shown, done.stdout)
