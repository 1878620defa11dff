"""How the demo is told: to people line by line, to programs in one document."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hubbub.interfaces.cli import printing

TITLE_COLUMNS: Final = 13
NEXT_STEPS: Final = {
    "serve": "a hub of your own",
    "spoke dev --root .": "offer it this folder",
    "find read a file": "what can be called",
    "call dev.fs.list path=.": "call it",
    "calls --follow": "watch what is called",
    "demo --keep": "this demo, left running",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that the demo did, and what came of it."""

    title: str
    detail: str
    took_ms: float


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What there is to see at the end."""

    url: str
    key_file: Path | None
    """The key for looking around; None if the hub ends with the demo."""
    trees: Sequence[dict[str, Any]]
    stats: Sequence[dict[str, Any]]
    spokes: Mapping[str, str]


class Teller(Protocol):
    """Whoever hears of the demo: people, or a program."""

    def told(self, step: Step) -> None:
        """A step was done."""

    def ended(self, ending: Ending) -> None:
        """All of them were."""


def teller(*, as_json: bool) -> Teller:
    return _ToPrograms() if as_json else _ToPeople()


class _ToPrograms:
    def __init__(self) -> None:
        self._steps: list[Step] = []

    def told(self, step: Step) -> None:
        self._steps.append(step)

    def ended(self, ending: Ending) -> None:
        kept = None if ending.key_file is None else str(ending.key_file)
        printing.document(
            {
                "url": ending.url,
                "keyFile": kept,
                "steps": [asdict(step) for step in self._steps],
                "trees": ending.trees,
                "stats": ending.stats,
            }
        )


class _ToPeople:
    def __init__(self) -> None:
        self._console = printing.out()
        self._console.print("[bold]A hub at work[/bold]\n")

    def told(self, step: Step) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="green")
        line.add_column(style="bold", width=TITLE_COLUMNS)
        took = (f"  {printing.duration(step.took_ms)}", "dim")
        line.add_row("✓", step.title, Text.assemble(step.detail, took))
        self._console.print(line)

    def ended(self, ending: Ending) -> None:
        trees = Group(*(printing.call_tree(tree, ending.spokes) for tree in ending.trees))
        self._section("Every call is recorded, with those that it led to", trees)
        self._section("How they did", printing.stats_table(ending.stats, ending.spokes))
        if ending.key_file is None:
            self._commands("What to try next", NEXT_STEPS)
        else:
            ways_in = _ways_in(ending.url, ending.key_file)
            self._commands("It is running. Ctrl-C ends it", ways_in)

    def _section(self, title: str, shown: Any) -> None:
        self._console.print(f"\n[bold]{title}[/bold]")
        self._console.print(Padding(shown, (0, 0, 0, 2), expand=False))

    def _commands(self, title: str, commands: Mapping[str, str]) -> None:
        """To be copied: a line that is too long is left to the terminal, and loses nothing."""
        self._console.print(f"\n[bold]{title}[/bold]")
        name = _program()
        width = max(map(len, commands))
        for words, what in commands.items():
            line = Text.assemble(f"  {name} {words:{width}}", (f"  {what}", "dim"))
            self._console.print(line, soft_wrap=True)


def _ways_in(url: str, key_file: Path) -> dict[str, str]:
    return {
        f"login {url} <{key_file}": "log in",
        f"status --url {url}": "how it is",
        f"find --url {url} folder": "what can be called",
        f"calls --url {url}": "what was called",
        f"logout {url}": "forget the key",
    }


def _program() -> str:
    """What to type to get here again."""
    if shutil.which("hubbub"):
        return "hubbub"
    return "./hub" if Path("hub").is_file() else "python -m hubbub"
