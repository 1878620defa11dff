"""`hubbub mcp list`, `check` and `logs`: how the servers are."""

from typing import Any, Final

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.session import current

SHOWN_MAX: Final = 10_000
LINES_MAX: Final = 100_000
SIGNS: Final = {
    "connected": ("●", "green"),
    "connecting": ("◌", "cyan"),
    "failed": ("✗", "red"),
    "disabled": ("○", "dim"),
}
VERDICTS: Final = {"ready": 0, "transient": 10, "blocked": 11, "unknown": 12}
"""What `check` exits with: as it is, later perhaps, not before something is mended, who knows."""
COLOURS: Final = {"ready": "green", "transient": "yellow", "blocked": "red", "unknown": "yellow"}


@click.command("list", cls=Command)
def list_() -> None:
    """The MCP servers that the hub knows, and how it stands with each."""
    found = with_hub(lambda hub: every(hub, "client.status", {}, SHOWN_MAX))
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
        client = await hub.call("client.get", {"client": name})
        found: dict[str, Any] = await hub.call("client.check", {"id": client["id"]})
        return found

    found = with_hub(work)
    verdict = str(found.get("status"))
    if current().json:
        printing.document(found)
    else:
        printing.out().print(_verdict(name, verdict, found), soft_wrap=True)
    ctx.exit(VERDICTS.get(verdict, VERDICTS["unknown"]))


@click.command(cls=Command)
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, LINES_MAX), default=200, show_default=True)
def logs(name: str, limit: int) -> None:
    """What a server that the hub runs has said on standard error, oldest first."""

    async def work(hub: Hub) -> list[Any]:
        client = await hub.call("client.get", {"client": name})
        return await every(hub, "client.logs", {"id": client["id"]}, limit)

    for each in with_hub(work):
        if current().json or not isinstance(each, dict):
            printing.line(each, as_json=current().json)
        else:
            at = printing.clock(each.get("at"))
            printing.line(f"{at}  {each.get('text', '')}".lstrip(), as_json=False)


def _row(found: dict[str, Any]) -> tuple[str | Text, ...]:
    status = str(found["status"])
    sign, colour = SIGNS.get(status, ("?", "white"))
    skipped = found.get("skipped") or 0
    tools = "" if found.get("tools") is None else str(found["tools"])
    return (
        Text(str(found["name"]), style="bold"),
        Text(f"{sign} {status}", style=colour),
        str(found.get("era") or ""),
        f"{tools} (+{skipped} left out)" if skipped else tools,
        printing.clock(found.get("since")),
        Text(_error(found.get("error")), style="red"),
    )


def _verdict(name: str, verdict: str, found: dict[str, Any]) -> Text:
    line = Text.assemble((verdict, COLOURS.get(verdict, "white")), "  ", (name, "bold"))
    if found.get("era"):
        line.append(f"  {found['era']}", style="dim")
    if found.get("tools") is not None:
        line.append(f"  {found['tools']} tools")
    if found.get("error"):
        line.append(f"  {_error(found['error'])}", style="red")
    return line


def _error(error: object) -> str:
    """A failure in words, whether it is told as a text or as a document."""
    if isinstance(error, dict):
        return f"{error.get('code', '')}: {error.get('message', '')}".strip(": ")
    return str(error or "")
