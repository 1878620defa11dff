"""What somebody else wrote does nothing to the terminal in which it is shown."""

import click
import pytest
from rich.text import Text

from hubbub.interfaces.cli import failures, printing
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.foreign import harmless
from hubbub.kernel.errors import Conflict, Invalid

FOREIGN = "\x1b]0;a title\x07\x1b[2J\rfaked\x9b1m\x7f"
SHOWN = "␛]0;a title␇␛[2J␍faked\ufffd1m␡"


def test_control_characters_are_shown_as_pictures_and_nothing_else_is_changed():
    assert harmless(FOREIGN) == SHOWN
    assert harmless("naïve\n\t✓ 𝔥") == "naïve\n\t✓ 𝔥"


def test_a_screen_shows_them_wherever_they_stand(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    screen = printing.out()
    screen.print(Text(FOREIGN))
    screen.print(printing.table(("~operation",), [[FOREIGN]]))
    assert capsys.readouterr().out.count("␛]0;a title") == 2


@pytest.mark.parametrize(
    "error",
    [
        Conflict(FOREIGN),
        Conflict("taken", by=FOREIGN),
        Invalid("wrong", errors=[{"field": FOREIGN, "expected": FOREIGN}]),
        Invalid("wrong", errors=[FOREIGN]),
    ],
)
def test_a_failure_shows_them(error):
    assert harmless(text := click.unstyle(failures.text(error))) == text


def test_the_help_of_an_operation_shows_them():
    command = Command("op", help="What it does. \x1b]0;a title\x07")
    assert "What it does. ␛]0;a title␇" in command.get_help(click.Context(command))


@pytest.mark.parametrize(("terminal", "said"), [(True, SHOWN), (False, FOREIGN)])
def test_an_answer_is_as_it_came_for_programs_alone(monkeypatch, capsys, terminal, said):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    printing.readable(FOREIGN)
    printing.line(FOREIGN, as_json=False)
    assert capsys.readouterr().out == f"{said}\n" * 2
