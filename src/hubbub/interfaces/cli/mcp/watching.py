"""`hubbub mcp list`, `check` and `logs`: how the servers are."""

from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import ask, every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import Conflict, TimedOut, Unavailable

SHOWN_MAX: Final = 10_000
LINES_MAX: Final = 500
CHECK_S: Final = 600.0
"""The hub gives up before, by what the client's config says."""
SIGNS: Final = {
    "connected": ("●", "green"),
    "connecting": ("◌", "cyan"),
    "failed": ("✗", "red"),
    "disabled": ("○", "dim"),
}
VERDICTS: Final = {
    "ready": (0, "green"),
    "transient": (10, "yellow"),
    "blocked": (11, "red"),
    "unknown": (12, "yellow"),
}
"""What `check` exits with: as it is, perhaps later, not before something is mended, who knows."""


@click.command("list", cls=Command)
def list_() -> None:
    """The MCP servers that the hub knows, and how it stands with each."""
    every_one = with_hub(lambda hub: every(hub, "client.status", {}, SHOWN_MAX))
    found = [each for each in every_one if each["type"] == "mcp-server"]
    if current().json:
        printing.document(found)
    elif not found:
        hint = "None. `hubbub mcp add` adds one, `hubbub mcp import` takes over what others have."
        printing.err().print(f"[dim]{hint}[/dim]")
    else:
        headings = ("~name", "status", "era", ">tools", "since", "~error")
        printing.out().print(printing.table(headings, map(_row, found)))


@click.command(cls=Command)
@click.argument("name")
@click.pass_context
def check(ctx: click.Context, name: str) -> None:
    """Connect to a server anew, and say what is found.

    Exits with 0 if it is ready, 10 if it may be later, 11 if something is to be mended first, 12 if
    that cannot be said.
    """

    async def work(hub: Hub) -> dict[str, Any]:
        found: dict[str, Any] = await hub.call("client.check", {"id": name}, timeout_s=CHECK_S)
        return found

    try:
        found = with_hub(work)
        verdict = "ready" if found["ready"] else "transient" if found["transient"] else "blocked"
    except (Conflict, TimedOut, Unavailable) as error:
        found, verdict = {"error": error.message}, "unknown"
    code, colour = VERDICTS[verdict]
    if current().json:
        printing.document({"name": name, "verdict": verdict, **found})
    else:
        line = Text.assemble((verdict, colour), "  ", (name, "bold"), f"  {_found(found)}")
        printing.out().print(line, soft_wrap=True)
        for each in found.get("skipped", ()):
            printing.out().print(Text(f"    left out: {_left(each)}", style="dim"), soft_wrap=True)
        for each in () if verdict == "ready" else found.get("log", ()):
            printing.out().print(Text(f"    {_line(each)}", style="dim"), soft_wrap=True)
    ctx.exit(code)


@click.command(cls=Command)
@click.argument("name")
@click.option(
    "--lines", type=click.IntRange(1, LINES_MAX), default=100, show_default=True, help="How many."
)
def logs(name: str, lines: int) -> None:
    """What happened to a connection lately, and what its server said of it, oldest first."""
    found = ask("client.logs", {"id": name, "lines": lines})["lines"]
    if current().json:
        printing.document(found)
        return
    for each in found:
        printing.line(_line(each), as_json=False)


def _row(found: dict[str, Any]) -> tuple[str | Text, ...]:
    sign, colour = SIGNS.get(found["status"], ("?", "white"))
    left = len(found["skipped"])
    tools = str(found["tools"]) if found["status"] == "connected" else ""
    return (
        Text(found["name"], style="bold"),
        Text(f"{sign} {found['status']}", style=colour),
        found["era"] or "",
        f"{tools} ({left} left out)" if left else tools,
        printing.clock(_moment(found["since"])),
        Text(found["error"] or "", style="red"),
    )


def _found(found: dict[str, Any]) -> str:
    return found["error"] or f"{found['era']}, {found['tools']} tools"


def _left(each: dict[str, Any]) -> str:
    return f"{each['name']}: {each['reason']}"


def _line(each: dict[str, Any]) -> str:
    return f"{printing.clock(_moment(each['timestamp']))}  {each['origin']:<6}  {each['text']}"


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat()
