"""`hubbub mcp import`: the servers that other programs have, as clients of the hub."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import failures, printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.mcp import sources
from hubbub.interfaces.cli.mcp.clients import CLIENTS
from hubbub.interfaces.cli.mcp.planning import Ready, Refused, Skipped, Step, planned
from hubbub.interfaces.cli.mcp.sources import Settings
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import HubError, NotFound

CLIENTS_MAX: Final = 10_000
SIGNS: Final = {
    "created": ("✓", "green"),
    "planned": ("+", "cyan"),
    "skipped": ("•", "dim"),
    "failed": ("✗", "red"),
}


@click.command("import", cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from",
    "clients",
    multiple=True,
    type=click.Choice(list(CLIENTS)),
    help="The program whose settings are read, or are in FILE. May be given again.",
)
@click.option("--only", multiple=True, metavar="NAME", help="This server. May be given again.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Call a server something else.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path | None,
    clients: tuple[str, ...],
    only: tuple[str, ...],
    rename: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Take over the MCP servers that other programs have.

    Without a FILE and --from it shows what there is on this machine. Variables are replaced by what
    they are in your environment. Keys, tokens and passwords become secrets of the hub.

    \b
      hubbub mcp import --from cursor --dry-run
      hubbub mcp import .vscode/mcp.json --only github
    """
    folder = Path.cwd()
    if file is None and not clients:
        _show(folder)
        return
    renamed = _renamed(rename)
    found = _settings(file, clients, folder)
    _require(found, {*only, *renamed})
    read = [sources.source(each, folder) for each in found]
    there = with_hub(_there)
    # Not while connected: a person may be asked, and take as long as that takes.
    steps = planned(read, hub=current().hub, there=there, only=frozenset(only), renamed=renamed)
    results = with_hub(lambda hub: _all_carried_out(hub, steps, dry_run=dry_run))
    if current().json:
        printing.document({"dryRun": dry_run, "servers": results})
    elif not results:
        printing.err().print("[dim]There are no servers there.[/dim]")
    ctx.exit(1 if any(each["result"] == "failed" for each in results) else 0)


def _settings(file: Path | None, clients: tuple[str, ...], folder: Path) -> list[Settings]:
    if file is not None:
        if len(clients) > 1:
            raise click.UsageError("A FILE is of one program.")
        return [sources.of_one(file, CLIENTS[clients[0]] if clients else None, folder)]
    found = [each for id in clients for each in sources.of_client(CLIENTS[id], folder)]
    if not found:
        names = ", ".join(CLIENTS[id].title for id in clients)
        raise NotFound(f"there are no settings of {names} here")
    return found


def _require(found: Iterable[Settings], names: set[str]) -> None:
    missing = names - {entry.name for settings in found for entry in settings.entries}
    if missing:
        raise NotFound(f"there is no server {', '.join(sorted(missing))} there")


def _renamed(pairs: tuple[str, ...]) -> dict[str, str]:
    renamed = {}
    for pair in pairs:
        old, equals, new = pair.rpartition("=")
        if not (equals and old and new):
            raise click.BadParameter(f"{pair!r} is not OLD=NEW", param_hint="--rename")
        renamed[old] = new
    return renamed


async def _there(hub: Hub) -> Mapping[str, Mapping[str, object]]:
    found = await every(hub, "client.list", {}, CLIENTS_MAX)
    return {each["name"]: each["config"] for each in found}


async def _all_carried_out(
    hub: Hub, steps: Iterable[Step], *, dry_run: bool
) -> list[dict[str, Any]]:
    """What became of each, told as soon as it is known."""
    as_json = current().json
    results = []
    for step in steps:
        results.append(await _carried_out(hub, step, dry_run=dry_run))
        if not as_json:
            _tell(results[-1])
    return results


async def _carried_out(hub: Hub, step: Step, *, dry_run: bool) -> dict[str, Any]:
    """What became of a server. One that fails leaves nothing behind, and the others go on."""
    told: dict[str, Any] = {"name": step.name, "from": step.source}
    match step:
        case Skipped(why=why):
            return {**told, "result": "skipped", "why": why}
        case Refused(why=why):
            return {**told, "result": "failed", "why": why}
        case Ready(config=config, secrets=secrets, notes=notes):
            told |= {"config": config, "secrets": sorted(secrets), "notes": notes}
            if dry_run:
                return {**told, "result": "planned", "why": ""}
            try:
                await hub.call("client.create", created(step))
            except HubError as error:
                return {**told, "result": "failed", "why": failures.plain(error)}
            return {**told, "result": "created", "why": ""}


def created(step: Ready) -> dict[str, object]:
    """The input of `client.create`."""
    return {
        "name": step.name,
        "type": "mcp-server",
        "config": step.config,
        "secrets": step.secrets,
    }


def _show(folder: Path) -> None:
    """What there is on this machine."""
    found = sources.everywhere(folder)
    if current().json:
        printing.document([_shown(place.client.id, str(place.file), each) for place, each in found])
        return
    if not found:
        printing.err().print("[dim]No settings of programs that speak MCP are known here.[/dim]")
        return
    rows = []
    for place, each in found:
        wrong = isinstance(each, HubError)
        names = each.message if isinstance(each, HubError) else _names(each)
        rows.append(
            (
                Text(place.client.id, style="bold"),
                Text(names, style="red" if wrong else ""),
                str(place.file),
            )
        )
    printing.out().print(printing.table(("program", "~servers", "~file"), rows))
    hint = "`hubbub mcp import --from PROGRAM` takes them over; --dry-run shows how."
    printing.err().print(f"[dim]{hint}[/dim]")


def _names(settings: Settings) -> str:
    return ", ".join(entry.name for entry in settings.entries) or "none"


def _shown(client: str, file: str, found: Settings | HubError) -> dict[str, object]:
    if isinstance(found, HubError):
        return {"client": client, "file": file, "servers": [], "error": found.message}
    names = [entry.name for entry in found.entries]
    return {"client": client, "file": file, "servers": names, "error": None}


def _tell(each: Mapping[str, Any]) -> None:
    console = printing.out()
    sign, colour = SIGNS[each["result"]]
    line = Text.assemble((f"{sign} ", colour), (each["name"], "bold"), f"  {_told(each)}")
    console.print(line, soft_wrap=True)
    for note in _notes(each):
        console.print(Text(f"    {note}", style="dim"), soft_wrap=True)


def _told(each: Mapping[str, Any]) -> str:
    if each["why"]:
        return str(each["why"])
    config = each["config"]
    if config["transport"] == "stdio":
        return " ".join([config["command"], *config.get("args", ())])
    return str(config["url"])


def _notes(each: Mapping[str, Any]) -> list[str]:
    notes = list(each.get("notes", ()))
    if each.get("secrets") and not each["why"]:
        notes.append(f"secrets: {', '.join(each['secrets'])}")
    return notes
