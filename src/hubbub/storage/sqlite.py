"""SQLite: one thread that writes, in groups; a few that read.

The writer's connection is the only one that writes or checkpoints. That is what keeps SQLite builds
older than 3.51.3 clear of their WAL-reset bug, and it makes durability cheap: up to 256 commands
share one commit, each in a savepoint of its own, for as long as their work is short.
"""

import asyncio
import fcntl
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Executable

from hubbub.kernel.errors import Busy, Conflict, Unavailable
from hubbub.kernel.events import Bus
from hubbub.storage.database import Database, Health, Work
from hubbub.storage.statements import Prepared, Statements
from hubbub.storage.transaction import (
    ConstraintViolated,
    ReadTransaction,
    Rows,
    WriteTransaction,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP_COMMANDS_MAX: Final = 256
GROUP_S_MAX: Final = 0.02
PENDING_MAX: Final = 20_000
READERS: Final = 4
WAL_ROWS: Final = 4096
WAL_GROWTH_BYTES: Final = 16 * 1024 * 1024
WAL_TRUNCATE_BYTES: Final = 64 * 1024 * 1024
IDLE_S: Final = 1.0
BUSY_MS: Final = 5000
INTERRUPT_S: Final = 0.01
TOGETHER_MAX: Final = 64


def _fetched(
    connection: sqlite3.Connection, prepared: Prepared, values: Mapping[str, object]
) -> Rows:
    try:
        cursor = connection.execute(prepared.compiled.sql, prepared.arguments(values))
        rows = Rows(prepared.compiled.rows(cursor.fetchall()))
    except sqlite3.IntegrityError as error:
        raise ConstraintViolated(str(error)) from error
    rows.changed = cursor.rowcount
    return rows


class _Writing(WriteTransaction):
    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, statements: Statements) -> None:
        super().__init__(statements)
        self._connection = connection

    async def execute(self, statement: Executable, **values: object) -> Rows:
        return _fetched(self._connection, self._statements.prepare(statement, values), values)

    async def _run_many(self, sql: str, arguments: Sequence[Sequence[object]]) -> None:
        try:
            for text, flat in grouped(sql, arguments):
                self._connection.execute(text, flat)
        except sqlite3.IntegrityError as error:
            raise ConstraintViolated(str(error)) from error


class _Reading(ReadTransaction):
    dialect = "sqlite"

    def __init__(
        self, connection: sqlite3.Connection, statements: Statements, threads: ThreadPoolExecutor
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._threads = threads

    async def execute(self, statement: Executable, **values: object) -> Rows:
        prepared = self._statements.prepare(statement, values)
        running = asyncio.get_running_loop().run_in_executor(
            self._threads, _fetched, self._connection, prepared, values
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The connection goes back to the pool only when its thread has let go of it. A scope
            # cancels more than once, and a statement that has not begun is not interrupted.
            while not running.done():
                self._connection.interrupt()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running], timeout=INTERRUPT_S)
            raise


@dataclass(frozen=True, kw_only=True)
class _Job:
    work: Work[Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    job: _Job
    result: Any = None
    error: BaseException | None = None
    events: Sequence[object] = ()


class SQLiteDatabase(Database):
    """A file, held by this process alone."""

    dialect = "sqlite"
    faults = (sqlite3.DatabaseError,)

    def __init__(self, path: Path, bus: Bus, held: IO[str]) -> None:
        """Open a file whose schema is there, and which `lock` holds for us."""
        super().__init__()
        self.path = path
        self._bus = bus
        self._statements = Statements(sqlite.dialect(paramstyle="qmark"), sqlite.insert)
        self._lock = held
        self._closing = False
        self._pending: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection = connect(path, writes=True)
        self._readers: asyncio.Queue[sqlite3.Connection] = asyncio.Queue()
        for _ in range(READERS):
            self._readers.put_nowait(connect(path, writes=False))
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        # Last, for it keeps the process alive until it is told to end.
        self._thread = threading.Thread(target=self._write_in_groups, name="sqlite-writer")
        self._thread.start()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadTransaction]:
        self._check_open()
        connection = await self._readers.get()
        try:
            connection.execute("BEGIN")
            yield _Reading(connection, self._statements, self._threads)
        finally:
            connection.rollback()
            self._readers.put_nowait(connection)

    async def _written(self, work: Work[T]) -> T:
        self._check_open()
        if self._pending.qsize() >= PENDING_MAX:
            raise Busy("the database is behind with writing", retryAfterMs=1000)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.put(_Job(work=work, future=future))
        return await future

    async def _health(self) -> Health:
        async with self.reading() as tx:
            await tx.execute(select(1))
        return Health(
            ready=True,
            detail=f"SQLite {sqlite3.sqlite_version}",
            pending_writes=self._pending.qsize(),
            wal_bytes=_wal_bytes(self.path),
        )

    def _check_open(self) -> None:
        if self._closing:
            raise Unavailable("the database is closed")

    async def close(self) -> None:
        self._closing = True
        self._pending.put(None)
        await asyncio.to_thread(self._thread.join)
        self._threads.shutdown()
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._connection.close()
        self._lock.close()

    def _write_in_groups(self) -> None:
        wal = _WriteAheadLog(self._connection, self.path)
        group: list[_Job] = []
        ended = False
        while group or not ended:
            if not group:
                group, ended = self._next_group()
            idle = not group
            if group:
                group = self._commit(group)
            try:
                wal.move(idle=idle)
            except (sqlite3.Error, OSError):
                # Those who wait for the next group must not wait for ever.
                log.warning("the log could not be moved into %s", self.path, exc_info=True)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """The commands that have come, and whether they are the last."""
        group: list[_Job] = []
        try:
            job = self._pending.get(timeout=IDLE_S)
            while job is not None:
                group.append(job)
                if len(group) == GROUP_COMMANDS_MAX:
                    return group, False
                job = self._pending.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _commit(self, group: list[_Job]) -> list[_Job]:
        """Carry out what there is time for, in one commit. What there was no time for."""
        outcomes: list[_Outcome] = []
        until = time.monotonic() + GROUP_S_MAX
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                outcomes.append(self._carry_out(job))
                # Those who are done are not to wait for all that come behind them.
                if time.monotonic() > until:
                    break
            self._connection.execute("COMMIT")
        except BaseException as error:
            # Nothing of the group was kept, so nobody may be told that it was.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            outcomes = [_Outcome(job=job, error=error) for job in group]
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            group[0].future.get_loop().call_soon_threadsafe(self._settle, outcomes)
        return group[len(outcomes) :]

    def _carry_out(self, job: _Job) -> _Outcome:
        tx = _Writing(self._connection, self._statements)
        self._connection.execute("SAVEPOINT command")
        try:
            result = run_to_end(job.work, tx)
        except Exception as error:
            self._connection.execute("ROLLBACK TO command")
            self._connection.execute("RELEASE command")
            return _Outcome(job=job, error=error)
        self._connection.execute("RELEASE command")
        return _Outcome(job=job, result=result, events=tx.events)

    def _settle(self, outcomes: list[_Outcome]) -> None:
        for outcome in outcomes:
            self._bus.publish(outcome.events)
            if outcome.job.future.done():
                continue
            if outcome.error is None:
                outcome.job.future.set_result(outcome.result)
            else:
                outcome.job.future.set_exception(outcome.error)


def grouped(sql: str, rows: Sequence[Sequence[object]]) -> Iterator[tuple[str, Sequence[object]]]:
    """An insert of many rows as few statements; any other statement once a row.

    Python gives up the interpreter for each statement, and behind a busy event loop waits to get it
    back. One statement for many rows is inserted beside the loop instead of in turns with it.

    A statement that is kept for the next time also keeps what it last wrote. So there are a few
    sizes, powers of two, and not one for every number of rows.
    """
    one = f"({', '.join('?' * len(rows[0]))})"
    if not sql.startswith("INSERT") or sql.count(one) != 1 or sql.count("?") != len(rows[0]):
        yield from ((sql, row) for row in rows)
        return
    head, tail = sql.split(one)
    start = 0
    while start < len(rows):
        size = min(TOGETHER_MAX, 1 << (len(rows) - start).bit_length() - 1)
        part = rows[start : start + size]
        yield f"{head}{', '.join([one] * size)}{tail}", list(chain.from_iterable(part))
        start += size


def run_to_end(work: Work[T], tx: WriteTransaction) -> T:
    """Run a coroutine that has nothing to wait for, here and now."""
    waiting: Any = work(tx)
    try:
        waiting.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    waiting.close()
    raise RuntimeError("a write transaction may await nothing but itself")


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """A connection of one kind. Only one that writes may exist at a time."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA foreign_keys=ON")
    if writes:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA journal_size_limit={WAL_TRUNCATE_BYTES}")
    else:
        connection.execute("PRAGMA query_only=ON")
    return connection


def lock(path: Path) -> IO[str]:
    """Hold the file against a second hub, in another process or in this one.

    Raises:
        Conflict: if another hub holds it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whoever can open the lock can keep a hub from starting.
    file = open(f"{path}.lock", "a+", opener=_private)  # noqa: SIM115  # held until it is closed
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise Conflict(
            "another hub has this database open", database=str(path), process=holder
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    # It holds what was said in calls: for nobody else to read. SQLite fills an empty file, and
    # gives its log the same permissions. Not before it is ours: closing it drops this process's
    # locks on it, which another hub in here may have.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    return file


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _WriteAheadLog:
    """The log, moved into the file between groups and never beside them.

    Its file does not shrink when it begins anew, so its size alone does not tell how much is in it;
    the rows that were changed since the last time do, near enough.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._rows = connection.total_changes
        self._bytes = _wal_bytes(path)

    def move(self, *, idle: bool) -> None:
        """Move it, if there is enough of it, or nothing better to do."""
        size, rows = _wal_bytes(self._path), self._connection.total_changes
        if size > WAL_TRUNCATE_BYTES or (idle and size > 0):
            mode = "TRUNCATE"
        elif rows - self._rows > WAL_ROWS or size - self._bytes > WAL_GROWTH_BYTES:
            mode = "PASSIVE"
        else:
            return
        self._rows = rows
        try:
            self._checkpoint(mode)
        finally:
            self._bytes = _wal_bytes(self._path)

    def _checkpoint(self, mode: str) -> None:
        # It would wait for whoever still reads an old state, and every write behind it. It moves
        # what it may and comes back to the rest later.
        self._connection.execute("PRAGMA busy_timeout=0")
        try:
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")


def _wal_bytes(path: Path) -> int:
    # Only its length is asked for. Opening and closing the file here would drop SQLite's locks.
    try:
        return os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        return 0
