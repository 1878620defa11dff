"""`hubbub mcp export`: the hub, written into the settings of the programs that are to use it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from hubbub.interfaces.cli import credentials, printing
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.mcp import changes, diffs, entries, files
from hubbub.interfaces.cli.mcp.changes import Change
from hubbub.interfaces.cli.mcp.clients import CLIENTS, PLAIN, Client, user_file
from hubbub.interfaces.cli.mcp.entries import Via
from hubbub.interfaces.cli.mcp.stdio import endpoint
from hubbub.interfaces.cli.session import DEFAULT_URL, Session, current


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Which tools of the hub, and by which way."""

    via: Via
    profile: str | None
    everything: bool


@click.command(cls=Command)
@click.option(
    "--to",
    "clients",
    multiple=True,
    required=True,
    type=click.Choice([*CLIENTS, PLAIN.id]),
    help="The program. May be given again.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Not the program's own file for you, but this one, such as that of a project.",
)
@click.option("--name", default="hubbub", show_default=True, help="What the hub is called there.")
@click.option("--profile", metavar="NAME", help="The tools of a profile, under their own names.")
@click.option("--all", "everything", is_flag=True, help="Every tool that the key may use.")
@click.option(
    "--via",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="By `hubbub mcp stdio`, or by its address with a key that you give the program.",
)
@click.option("--undo", is_flag=True, help="Take the hub out again.")
@click.option("--dry-run", is_flag=True, help="Show the change, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def export(
    clients: tuple[str, ...],
    file: Path | None,
    name: str,
    profile: str | None,
    everything: bool,
    via: Via,
    undo: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Write the hub into the settings of programs that speak MCP.

    The change is shown first. Nothing else in the file is touched; a copy of how it was is kept
    beside it, for --undo. No key is written into a file.

    \b
      hubbub mcp export --to claude-code --to cursor
      hubbub mcp export --to vscode --file .vscode/mcp.json --via http
    """
    if profile is not None and everything:
        raise click.UsageError("--profile and --all are two different things to ask for.")
    if file is not None and len(clients) > 1:
        raise click.UsageError("A --file is of one program.")
    session = current()
    offer = Offer(via=via, profile=profile, everything=everything)
    # All of them are read before any is written.
    found = []
    for client in (CLIENTS.get(id, PLAIN) for id in clients):
        place = _file(client, file)
        if undo:
            found.append(changes.undoing(client, place, name))
        else:
            found.append(changes.adding(client, place, name, _entry(client, session, offer)))
    told = [_carried_out(each, undo=undo, dry_run=dry_run, yes=yes) for each in found]
    if session.json:
        printing.document({"dryRun": dry_run, "files": told})
    elif not undo and not dry_run:
        for change, each in zip(found, told, strict=True):
            if each["changed"]:
                _hint(change.client, session, via)


def _file(client: Client, file: Path | None) -> Path:
    if file is not None:
        return file.absolute()
    if client is PLAIN:
        raise click.UsageError("--to plain needs a --file.")
    return user_file(client)


def _entry(client: Client, session: Session, offer: Offer) -> dict[str, object]:
    if offer.via == "http":
        path = endpoint("", offer.profile, everything=offer.everything)
        return entries.by_address(client, session.hub + path)
    words = [*_command(), *_options(session), "mcp", "stdio"]
    words += ["--all"] if offer.everything else []
    words += [] if offer.profile is None else ["--profile", offer.profile]
    return entries.by_command(client, words, _environment())


def _command() -> list[str]:
    """How this program is started from anywhere: programs with windows have no PATH of a shell."""
    script = Path(sys.executable).with_name("hubbub.exe" if sys.platform == "win32" else "hubbub")
    return [str(script)] if script.exists() else [sys.executable, "-m", "hubbub"]


def _options(session: Session) -> list[str]:
    """What makes the bridge mean the hub that is meant here."""
    options = [] if session.hub == DEFAULT_URL else ["--url", session.hub]
    if session.key_file is not None:
        options += ["--key-file", str(session.key_file.absolute())]
    return options


def _environment() -> dict[str, str]:
    """Where the saved key is, if that is not where it is by default."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return {"XDG_CONFIG_HOME": config} if config else {}


def _hint(client: Client, session: Session, via: Via) -> None:
    """What is left for the person to do."""
    hint = f"{client.title}: {entries.hint(client, via)}"
    if via == "stdio" and session.key_file is None and credentials.load(session.hub) is None:
        hint = f"No key is saved for {session.hub}: run `hubbub login {session.hub}`."
    printing.err().print(Text(hint, style="dim"), soft_wrap=True)


def _carried_out(change: Change, *, undo: bool, dry_run: bool, yes: bool) -> dict[str, Any]:
    """Show a change, and make it if that is wanted."""
    diff = diffs.of(change.before or "", change.after or "", str(change.file))
    as_json = current().json
    if not as_json:
        _show(change, diff)
    wanted = change.needed and not dry_run and (yes or as_json or _agreed())
    if wanted:
        (changes.undone if undo else changes.made)(change)
    backup = files.backup_of(change.file)
    told = {
        "client": change.client.id,
        "file": str(change.file),
        "changed": wanted,
        "diff": "\n".join(diff),
        "backup": str(backup) if wanted and backup.exists() else None,
    }
    if wanted and not as_json:
        _tell(told, undo=undo)
    return told


def _show(change: Change, diff: list[str]) -> None:
    console = printing.out()
    console.print(Text(change.client.title, style="bold"))
    if change.needed:
        console.print(diffs.coloured(diff), end="", soft_wrap=True)
    else:
        console.print(f"  {printing.plain(str(change.file))} is as it should be", soft_wrap=True)


def _agreed() -> bool:
    """Whether the person wants it; where nobody can be asked, the command was said in earnest."""
    return not sys.stdin.isatty() or click.confirm("Write it?", default=True, err=True)


def _tell(told: dict[str, Any], *, undo: bool) -> None:
    what = "is without the hub again" if undo else "is written"
    line = Text.assemble(("✓ ", "green"), f"{told['file']} {what}")
    if told["backup"]:
        line.append(f"; how it was: {told['backup']}", style="dim")
    printing.out().print(line, soft_wrap=True)
