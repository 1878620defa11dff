"""What people see: tables, trees and JSON in colour. Programs get one JSON document."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hubbub.interfaces.cli.foreign import harmless
from hubbub.interfaces.cli.names import own_name, spoke_of

GLYPHS: Final = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "aborted": ("■", "yellow"),
    "running": ("▶", "cyan"),
    "pending": ("…", "cyan"),
}
PIPE_COLUMNS: Final = 160
WIDE_COLUMNS: Final = 110


class Screen(Console):
    """A console on which nothing counts as a control code but rich's own."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else harmless(text), style, control)


def out() -> Console:
    """Standard output as it is now. A pipe has no width: lines are not folded there."""
    console = Screen(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_COLUMNS
    return console


def err() -> Console:
    """Standard error, for what is no result: progress, remarks."""
    return Screen(stderr=True, highlight=False)


def document(value: object) -> None:
    """One JSON document on one line."""
    _say(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def readable(value: object) -> None:
    """A value for people: text as it is, all else as indented JSON."""
    if isinstance(value, str):
        _say(value)
        return
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    console = out()
    if console.is_terminal:
        shown = Syntax(text, "json", theme="ansi_dark", background_color="default", word_wrap=True)
        console.print(shown)
    else:
        click.echo(text)


def line(value: object, *, as_json: bool) -> None:
    """One answer of many, told as soon as it is there."""
    if isinstance(value, str) and not as_json:
        _say(value)
    else:
        document(value)


def _say(text: str) -> None:
    """A line that somebody else wrote. A program is given it as it is, colours included."""
    click.echo(harmless(text) if sys.stdout.isatty() else text, color=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines. `>` before a heading makes a column of numbers, `~` one of prose."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        made.add_column(
            heading.lstrip(">~"),
            justify="right" if heading.startswith(">") else "left",
            no_wrap=not heading.startswith("~"),
            overflow="fold",
        )
    for row in rows:
        made.add_row(*row)
    return made


def wide(console: Console) -> bool:
    """Whether there is room for what is good to know besides."""
    return console.width >= WIDE_COLUMNS


def summary(description: str) -> str:
    """The first paragraph of a description, on one line."""
    return harmless(" ".join(description.partition("\n\n")[0].split()))


def status(word: str, *, brief: bool = False) -> Text:
    """A call's status as a sign and a colour, and in words where there is room."""
    glyph, colour = GLYPHS.get(word, ("?", "white"))
    return Text(glyph if brief else f"{glyph} {word}", style=colour)


def operation(id: str, spokes: Mapping[str, str]) -> Text:
    """An operation as people call it, with the name of its spoke."""
    text = Text(own_name(id), style="bold")
    spoke = spoke_of(id)
    if spoke is not None:
        text.append(f" @{spokes.get(spoke, spoke[:8])}", style="dim not bold")
    return text


def duration(ms: float | None) -> str:
    if ms is None:
        return ""
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def clock(moment: str | None) -> str:
    """A moment of today as its time, any other with its date, in local time."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"


def call_tree(tree: dict[str, Any], spokes: Mapping[str, str]) -> Tree:
    """A call and those that it made."""
    made = Tree(_call_line(tree["call"], spokes), guide_style="dim")
    _grow(made, tree["children"], spokes)
    return made


def _grow(tree: Tree, children: list[dict[str, Any]], spokes: Mapping[str, str]) -> None:
    for child in children:
        _grow(tree.add(_call_line(child["call"], spokes)), child["children"], spokes)


def _call_line(call: dict[str, Any], spokes: Mapping[str, str]) -> Text:
    line = status(call["status"], brief=True).append(" ")
    line.append_text(operation(call["operation"], spokes))
    line.append(f"  {call['status']}", style=GLYPHS[call["status"]][1])
    if call["durationMs"] is not None:
        line.append(f"  {duration(call['durationMs'])}", style="dim")
    if call["error"]:
        reason = call["error"].get("details", {}).get("reason", call["error"]["message"])
        line.append(f"  {call['error']['code']}: {reason}", style="dim")
    return line


def stats_table(stats: Iterable[dict[str, Any]], spokes: Mapping[str, str]) -> Table:
    """How operations have done."""
    headings = ("~operation", ">calls", ">failed", ">p50 ms", ">p95 ms", ">p99 ms")
    return table(
        headings,
        (
            (
                operation(each["operation"], spokes),
                str(each["count"]),
                Text(f"{each['errorRate']:.0%}", style="red" if each["errorRate"] else "dim"),
                *(f"{each[name]:.1f}" for name in ("p50Ms", "p95Ms", "p99Ms")),
            )
            for each in stats
        ),
    )


def bar() -> Progress:
    """A bar on standard error, gone when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        console=err(),
        transient=True,
    )


@contextmanager
def working(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar while bytes are worked through, to be told how many; none where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with bar() as shown:
        task = shown.add_task(what, total=total, amount="")

        def so_far(done: int) -> None:
            amount = f"{done / 1e6:,.0f} MB" if done else ""
            shown.update(task, completed=done, amount=amount)

        yield so_far


def plain(text: str) -> str:
    """Text from elsewhere, which may look like marks of our own and is none."""
    return escape(text)
