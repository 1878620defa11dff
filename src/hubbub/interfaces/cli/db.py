"""`hubbub db`: a hub's database, looked after without a hub."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from hubbub.app import open_database
from hubbub.identity.first import another_key
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.commands import Group
from hubbub.interfaces.cli.database import opening, password, shown
from hubbub.interfaces.cli.options import database_options
from hubbub.interfaces.cli.session import current
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from hubbub.kernel.events import Bus
from hubbub.settings import load
from hubbub.storage.database import dialect_of
from hubbub.storage.migrate import current as current_revision
from hubbub.storage.migrations import HEAD

FAULTS_MAX: Final = 20
LOOK_S: Final = 0.2
STEPS: Final = 200_000
"""Of SQLite's virtual machine, between two looks at how far it is."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was found in a database."""

    database: str
    revision: str | None
    head: str
    faults: list[str]

    @property
    def ok(self) -> bool:
        return not self.faults


@click.group(cls=Group)
def db() -> None:
    """Migrate, check or back up a hub's database, or make a key for its owner."""


@db.command()
@database_options
def migrate(database: str | None, config: Path | None) -> None:
    """Bring the database to the newest schema. A hub does so when it starts."""
    url = _url(database, config)
    with opening(url):
        before = asyncio.run(_migrated(url))
    if current().json:
        printing.document({"database": shown(url), "from": before, "to": HEAD})
    elif before == HEAD:
        click.echo(f"{shown(url)} is at {HEAD}, the newest schema")
    else:
        click.echo(f"{shown(url)}: from {before or 'nothing'} to {HEAD}")


@db.command()
@database_options
@click.pass_context
def check(ctx: click.Context, database: str | None, config: Path | None) -> None:
    """See that the database can be read, is whole, and has the newest schema.

    A hub may be running on it. Exits with 1 where something is wrong.
    """
    url = _url(database, config)
    found = checked(url)
    if current().json:
        printing.document({**asdict(found), "ok": found.ok})
    elif found.ok:
        click.echo(f"{found.database} is whole, at {found.revision}, the newest schema")
    else:
        click.echo("\n".join(f"{found.database}: {fault}" for fault in found.faults))
    ctx.exit(0 if found.ok else 1)


@db.command()
@database_options
@click.argument("target", type=click.Path(path_type=Path))
def backup(database: str | None, config: Path | None, target: Path) -> None:
    """Copy a database to a file that is not there yet.

    The copy is of one moment, and complete; a hub may be running, and goes on. To restore one of
    SQLite, stop the hub and put the copy in the place of the file and its -wal and -shm. One of
    PostgreSQL is made by pg_dump, and pg_restore reads it.
    """
    url = _url(database, config)
    with opening(url), _new_file(target) as part:
        if dialect_of(url) == "postgresql":
            _dump(url, part)
        else:
            _copy(_file(url), part)
    if current().json:
        printing.document(
            {"database": shown(url), "file": str(target), "bytes": os.path.getsize(target)}
        )
    else:
        click.echo(f"{target}: {os.path.getsize(target):,} bytes")


@db.command()
@database_options
def key(database: str | None, config: Path | None) -> None:
    """Make a new key for the owner, where every other is lost. No hub may be running.

    The key is shown once. Save it with `hubbub login`.
    """
    url = _url(database, config)
    with opening(url):
        secret = asyncio.run(_another_key(url))
    if current().json:
        printing.document({"database": shown(url), "key": secret})
    else:
        click.echo(secret)


async def _migrated(url: str) -> str | None:
    """Open it as a hub does, which nobody else may meanwhile. At which revision it was before."""
    new = dialect_of(url) == "sqlite" and not _path(url).exists()
    before = None if new else await asyncio.to_thread(current_revision, url)
    opened = await open_database(url, Bus())
    await opened.close()
    return before


async def _another_key(url: str) -> str:
    opened = await open_database(url, Bus())
    try:
        return await opened.write(lambda tx: another_key(tx, utc_now()))
    finally:
        await opened.close()


def checked(url: str) -> Check:
    """What there is to say about a database, reading only."""
    faults: list[str] = []
    with opening(url):
        if dialect_of(url) == "sqlite":
            faults += _faults(_file(url))
        revision = current_revision(url)
    if revision != HEAD:
        faults.append(f"the schema is at {revision or 'nothing'}, and {HEAD} is the newest")
    return Check(database=shown(url), revision=revision, head=HEAD, faults=faults)


def _url(database: str | None, config: Path | None) -> str:
    url = load(config, overrides={"database": database}).database_url
    dialect_of(url)
    return url


def _file(url: str) -> Path:
    """The file of an SQLite database, which a look at it must not create.

    Raises:
        NotFound: if there is none.
    """
    file = _path(url)
    if not file.is_file():
        raise NotFound(f"there is no database at {file}")
    return file


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _faults(file: Path) -> list[str]:
    with closing(_read_only(file)) as connection, printing.working("checking", None) as so_far:
        _tell(connection, lambda: so_far(0))
        whole = connection.execute(f"PRAGMA integrity_check({FAULTS_MAX})").fetchall()
        loose = connection.execute("PRAGMA foreign_key_check").fetchmany(FAULTS_MAX)
    faults = [text for (text,) in whole if text != "ok"]
    return faults + [
        f"row {row} of {table} refers to a {parent} that is gone" for table, row, parent, _ in loose
    ]


def _read_only(file: Path) -> sqlite3.Connection:
    """A reader. The hub's writer stays the only one that writes and checkpoints."""
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """An empty file to be filled: in the end all of it is there, under its name, or nothing."""
    if target.exists():
        raise Conflict(f"{target} is there already")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        # It holds who may do what: for nobody else to read.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise Invalid(
            f"{target} cannot be written",
            errors=[{"field": "target", "expected": f"a file that can be made: {error.strerror}"}],
        ) from error
    try:
        yield part
        _publish(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _copy(source: Path, part: Path) -> None:
    total = source.stat().st_size
    with closing(_read_only(source)) as connection, printing.working("copying", total) as so_far:
        _tell(connection, lambda: so_far(part.stat().st_size))
        connection.execute("VACUUM INTO ?", (str(part),))
    if faults := _faults(part):
        raise Conflict(f"the copy is not whole: {faults[0]}")


def _dump(url: str, part: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise Unavailable("a copy of PostgreSQL is made by pg_dump, which is not on the path")
    # What stands on a command line everybody can read, so the password goes another way.
    secret = password(url)
    handed = {} if secret is None else {"PGPASSWORD": secret}
    with (
        printing.working("copying", None) as so_far,
        subprocess.Popen(
            [program, "--format=custom", f"--file={part}", f"--dbname={shown(url)}"],
            env={**os.environ, **handed},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as dumping,
    ):
        said = ""
        while dumping.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                _, said = dumping.communicate(timeout=LOOK_S)
            so_far(part.stat().st_size)
    if dumping.returncode:
        raise Unavailable("pg_dump made no copy", database=shown(url), reason=said.strip())


def _tell(connection: sqlite3.Connection, look: Callable[[], None]) -> None:
    """Have `look` called again and again while SQLite works."""

    def handler() -> int:
        look()
        return 0  # anything else would stop it

    connection.set_progress_handler(handler, STEPS)


def _publish(part: Path, target: Path) -> None:
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(part, target)  # unlike a rename, it never replaces a file
    except FileExistsError as error:
        raise Conflict(f"{target} is there already") from error
