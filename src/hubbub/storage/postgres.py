"""PostgreSQL: every write serializable, run again when it lost a race."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import Executable

from hubbub.kernel.errors import Busy, Conflict
from hubbub.kernel.events import Bus
from hubbub.storage.database import Database, Health, Work
from hubbub.storage.statements import Prepared, Statements
from hubbub.storage.transaction import (
    ConstraintViolated,
    ReadTransaction,
    Rows,
    Unkeepable,
    WriteTransaction,
)

T = TypeVar("T")

CONNECTIONS_MAX: Final = 10
ATTEMPTS_MAX: Final = 12
PAUSE_S: Final = 0.002
PAUSE_S_MAX: Final = 0.25
TAKE_OVER_S: Final = 3.0
UNKEEPABLE: Final = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.UntranslatableCharacterError,
)
REFUSALS: Final = (asyncpg.IntegrityConstraintViolationError, *UNKEEPABLE)


async def _fetched(connection: Any, prepared: Prepared, values: Mapping[str, object]) -> Rows:
    compiled, arguments = prepared.compiled, prepared.arguments(values)
    # Not by the driver's `prepare`, which asks the server anew what it has been asked before.
    try:
        if compiled.columns:
            return Rows(compiled.rows(await connection.fetch(compiled.sql, *arguments)))
        rows = Rows()
        rows.changed = _count(await connection.execute(compiled.sql, *arguments))
    except REFUSALS as error:
        raise _refusal(error) from error
    return rows


class _Reading(ReadTransaction):
    dialect = "postgresql"

    def __init__(self, connection: Any, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    async def execute(self, statement: Executable, **values: object) -> Rows:
        return await _fetched(self._connection, self._statements.prepare(statement, values), values)


class _Writing(WriteTransaction):
    dialect = "postgresql"

    def __init__(self, connection: Any, statements: Statements) -> None:
        super().__init__(statements)
        self._connection = connection

    async def execute(self, statement: Executable, **values: object) -> Rows:
        return await _fetched(self._connection, self._statements.prepare(statement, values), values)

    async def _run_many(self, sql: str, arguments: Sequence[Sequence[object]]) -> None:
        try:
            await self._connection.executemany(sql, arguments)
        except REFUSALS as error:
            raise _refusal(error) from error


class PostgresDatabase(Database):
    """A server. One hub at a time has a schema of it."""

    dialect = "postgresql"
    faults = (asyncpg.PostgresError,)

    def __init__(self, url: str, pool: Any, holder: Any, bus: Bus) -> None:
        super().__init__()
        self._url = url
        self._pool = pool
        self._holder = holder  # the connection that holds the database for this hub
        self._holding = asyncio.Lock()
        self._bus = bus
        self._statements = Statements(asyncpg_dialect.dialect(), insert)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
        self._writing = 0

    @classmethod
    async def open(cls, url: str, bus: Bus, holder: Any) -> "PostgresDatabase":
        """Connect; the schema must be there, and `hold` hold it for us."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=CONNECTIONS_MAX,
            statement_cache_size=1000,
            server_settings={
                "application_name": "hubbub",
                "idle_in_transaction_session_timeout": "30000",
                # asyncpg's prepared statements are short; compiling them to machine code is not.
                "jit": "off",
            },
        )
        return cls(url, pool, holder, bus)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadTransaction]:
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield _Reading(connection, self._statements)

    async def _written(self, work: Work[T]) -> T:
        self._writing += 1
        try:
            await self._hold_on()
            return await self._attempt(work)
        finally:
            self._writing -= 1

    async def _hold_on(self) -> None:
        """A server that was restarted has forgotten who holds the database."""
        if self._holder.is_closed():
            async with self._holding:
                if self._holder.is_closed():
                    self._holder = await hold(self._url)

    async def _attempt(self, work: Work[T]) -> T:
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._once(work)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                await asyncio.sleep(random.uniform(0, min(PAUSE_S_MAX, PAUSE_S * 2**attempt)))
            except ConstraintViolated:
                # Two writers that both found a key free: the loser sees the winner's row if it
                # looks again. If the row is really wrong, the second try says so.
                if attempt > 0:
                    raise
        raise Busy("too many writers wanted the same rows", retryAfterMs=250)

    async def _once(self, work: Work[T]) -> T:
        async with self._pool.acquire() as connection:
            tx = _Writing(connection, self._statements)
            async with connection.transaction(isolation="serializable"):
                result = await work(tx)
        self._bus.publish(tx.events)
        return result

    async def _health(self) -> Health:
        async with self.reading() as tx:
            await tx.execute(select(1))
        async with self._pool.acquire() as connection:
            version = ".".join(str(part) for part in connection.get_server_version()[:2])
        return Health(
            ready=True,
            detail=f"PostgreSQL {version}",
            pending_writes=self._writing,
            wal_bytes=0,
        )

    async def close(self) -> None:
        await self._pool.close()
        await self._holder.close()


async def hold(url: str) -> Any:
    """A connection that keeps other hubs from the same schema for as long as it stands.

    A hub that was killed a moment ago may still seem to hold it.

    Raises:
        Conflict: if another hub has the database, whose calls and spokes this one would end.
    """
    connection = await asyncpg.connect(url, server_settings={"application_name": "hubbub"})
    until = asyncio.get_running_loop().time() + TAKE_OVER_S
    while not await connection.fetchval(
        "SELECT pg_try_advisory_lock(hashtext('hubbub'), hashtext(current_schema()))"
    ):
        if asyncio.get_running_loop().time() > until:
            await connection.close()
            raise Conflict("another hub has this database open", database=urlsplit(url).path[1:])
        await asyncio.sleep(0.2)
    return connection


def _refusal(error: Exception) -> Exception:
    """A statement's failure as the rest of the house knows it."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return ConstraintViolated(str(error))
    expected = "text without U+0000, numbers and names of a usual size"
    return Unkeepable("the database cannot keep this", errors=[{"field": "", "expected": expected}])


def _count(status: str) -> int:
    """Rows touched, from a command tag such as `UPDATE 3`."""
    last = status.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0
