"""`hubbub doctor`: one line for each thing that can be wrong between here and a hub."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import click
import msgspec
from rich.text import Text

from hubbub import __version__
from hubbub.interfaces.cli import failures, printing
from hubbub.interfaces.cli.asking import connected
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.db import checked
from hubbub.interfaces.cli.options import database_options
from hubbub.interfaces.cli.pages import page
from hubbub.interfaces.cli.session import Session, current
from hubbub.interfaces.guard import is_loopback
from hubbub.interfaces.server import bound
from hubbub.kernel.errors import HubError, NotFound, Unavailable
from hubbub.services import keyfile
from hubbub.settings import Settings, load
from hubbub.storage.database import dialect_of

SKEW_S_MAX: Final = 5.0
SIGNS: Final = {"ok": ("✓", "green"), "note": ("•", "yellow"), "wrong": ("✗", "red")}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found. Only `wrong` is a fault."""

    check: str
    result: Literal["ok", "note", "wrong"]
    detail: str


@click.command(cls=Command)
@database_options
@click.pass_context
def doctor(ctx: click.Context, config: Path | None, database: str | None) -> None:
    """Find out what is wrong, from the settings to the key. Exits with 1 where something is."""
    session = current()
    found: list[Finding] = []
    for finding in _findings(session, config, database):
        found.append(finding)
        if not session.json:
            printing.out().print(_line(finding), soft_wrap=True)
    wrong = any(finding.result == "wrong" for finding in found)
    if session.json:
        printing.document({"ok": not wrong, "checks": [asdict(finding) for finding in found]})
    ctx.exit(1 if wrong else 0)


def _findings(session: Session, config: Path | None, database: str | None) -> Iterator[Finding]:
    if is_loopback(urlsplit(session.hub).hostname or ""):
        yield from _here(config, database)
    try:
        health = page(session.hub, "/health")
    except Unavailable as error:
        yield _unanswered(session, error)
        return
    yield _ok("hub", f"{session.hub} answers")
    yield _versions(str(health.get("version")))
    yield from _parts(page(session.hub, "/ready"))
    yield from _checked("key", lambda: asyncio.run(_key(session)))


def _here(config: Path | None, database: str | None) -> Iterator[Finding]:
    """What a hub on this machine would find."""
    try:
        settings = load(config, overrides={"database": database})
    except HubError as error:
        yield _wrong("settings", error)
        return
    yield _ok("settings", str(config) if config else "no file, HUBBUB_* and what is built in")
    yield from _checked("database", lambda: [_database(settings)])
    if dialect_of(settings.database_url) == "sqlite":
        yield _sqlite()
    yield from _checked("key file", lambda: [_key_file(settings)])


def _checked(check: str, work: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return work()
    except HubError as error:
        return [_wrong(check, error)]


def _database(settings: Settings) -> Finding:
    try:
        found = checked(settings.database_url)
    except NotFound as error:
        return Finding(check="database", result="note", detail=f"{error.message}: a start makes it")
    if not found.ok:
        return Finding(check="database", result="wrong", detail="; ".join(found.faults))
    return _ok("database", f"{found.database} is whole, at {found.revision}, the newest schema")


def _key_file(settings: Settings) -> Finding:
    """Without the keys nobody can read the secrets in the database."""
    path = settings.key_path
    if not path.exists():
        detail = f"none at {path}: a start makes it, with a new key"
        return Finding(check="key file", result="note", detail=detail)
    ring = keyfile.read(path)
    return _ok("key file", f"{path}, for nobody else to read; v{ring.current} is the current key")


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        return _ok("sqlite", version)
    remark = "older than 3.51.3, whose fix to the log the hub does without: it has one writer"
    return _ok("sqlite", f"{version}, {remark}")


def _unanswered(session: Session, error: Unavailable) -> Finding:
    parts = urlsplit(session.hub)
    host, port = parts.hostname or "", parts.port or 80
    if not is_loopback(host):
        return _wrong("hub", error)
    try:
        bound(host, port).close()
    except HubError:
        detail = f"port {port} is taken by something that is no hub"
        return Finding(check="hub", result="wrong", detail=detail)
    detail = f"none at {session.hub}, and the port is free: `hubbub serve` starts one"
    return Finding(check="hub", result="note", detail=detail)


def _versions(hub: str) -> Finding:
    if hub == __version__:
        return _ok("versions", f"{hub} there and here")
    return Finding(check="versions", result="note", detail=f"{hub} there, {__version__} here")


def _parts(ready: dict[str, Any]) -> Iterator[Finding]:
    for name, part in ready.get("parts", {}).items():
        result: Literal["ok", "wrong"] = "ok" if part["ready"] else "wrong"
        yield Finding(check=f"ready: {name}", result=result, detail=part["detail"])


async def _key(session: Session) -> list[Finding]:
    async with connected(session) as hub:
        began_s = time.time()
        answer = await hub.call_raw("account.me")
        middle_s = (began_s + time.time()) / 2
    account = answer.data()
    there_s = msgspec.json.decode(answer.envelope.meta)["timestamp"] / 1000
    return [_ok("key", f"you are {account['email']}"), _clock(there_s - middle_s)]


def _clock(skew_s: float) -> Finding:
    """Deadlines are moments: what one side gives, the other takes away."""
    if abs(skew_s) <= SKEW_S_MAX:
        return _ok("clock", f"{abs(skew_s):.1f} s apart")
    way = "ahead of" if skew_s > 0 else "behind"
    detail = f"the hub's clock is {abs(skew_s):.0f} s {way} this one: deadlines will be off"
    return Finding(check="clock", result="wrong", detail=detail)


def _ok(check: str, detail: str) -> Finding:
    return Finding(check=check, result="ok", detail=detail)


def _wrong(check: str, error: HubError) -> Finding:
    return Finding(check=check, result="wrong", detail=click.unstyle(failures.text(error)))


def _line(finding: Finding) -> Text:
    sign, colour = SIGNS[finding.result]
    return Text.assemble((f"{sign} ", colour), (f"{finding.check:<16}", "bold"), finding.detail)
