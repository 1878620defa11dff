"""The command line starts fast, and says what it can do."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hubbub.interfaces.cli import SECTIONS, root

HEAVY = ("sqlalchemy", "starlette", "rich", "uvicorn", "websockets", "alembic", "jsonschema_rs")
NAMES = [name for part in SECTIONS.values() for name in part]


def loaded(*words: str) -> set[str]:
    """Which heavy packages a command loads."""
    script = (
        "import sys, contextlib\n"
        "from hubbub.interfaces.cli import root\n"
        f"with contextlib.suppress(SystemExit): root.main({list(words)!r})\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("completion", "zsh")])
def test_help_loads_nothing_heavy(words):
    assert loaded(*words) == set()


def test_a_command_loads_what_it_needs_and_no_more():
    assert loaded("find", "--help") == {"rich", "websockets"}


def test_help_names_every_command():
    done = CliRunner().invoke(root, ["--help"])
    assert done.exit_code == 0
    words = done.stdout.split()
    assert [name for name in NAMES if name not in words] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "do"])
def test_every_command_explains_itself(name):
    done = CliRunner().invoke(root, [name, "--help"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "--json" in done.stdout


def test_an_unknown_command_is_refused_with_the_place_where_operations_are():
    done = CliRunner().invoke(root, ["account", "create"])
    assert done.exit_code == 2
    assert "hubbub do account" in done.stderr


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["serve", "--port", "high"], "--port"),
        (["serve", "--config", "none.toml"], "--config"),
        (["serve", "--prot", "1"], "--prot"),
        (["spoke", "dev"], "--root"),
        (["db", "backup"], "target"),
        (["completion", "tcsh"], "shell"),
    ],
)
def test_programs_are_told_which_option_is_at_fault(words, field):
    done = CliRunner().invoke(root, [*words, "--json"])
    error = json.loads(done.stderr)["error"]
    assert (done.exit_code, error["code"]) == (2, "VALIDATION_ERROR")
    assert [(each["field"], each["expected"] != "") for each in error["details"]["errors"]] == [
        (field, True)
    ]


def test_a_terminal_that_knows_no_ticks_is_told_all_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "hubbub", "doctor"],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("? settings")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell):
    done = CliRunner().invoke(root, ["completion", shell])
    assert done.exit_code == 0
    assert "_HUBBUB_COMPLETE" in done.stdout
    told = json.loads(CliRunner().invoke(root, ["completion", shell, "--json"]).stdout)
    assert told == {"shell": shell, "script": done.stdout.removesuffix("\n")}
