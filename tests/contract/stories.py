"""One transaction on a database of either kind."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

T = TypeVar("T")


def story(test: Callable[[Connection], None]) -> Callable[[str], None]:
    """A test that is one transaction on a migrated database, undone at its end."""

    def run(migrated: str) -> None:
        within(migrated, test)

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run


def within(url: str, work: Callable[[Connection], T], *, keep: bool = False) -> T:
    """What `work` returns, done in one transaction that is undone unless it is to be kept."""

    def run(connection: Connection) -> T:
        with connection.begin() as transaction:
            done = work(connection)
            transaction.commit() if keep else transaction.rollback()
            return done

    if make_url(url).get_backend_name() == "postgresql":
        return asyncio.run(_within_postgresql(url, run))
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def enforce_foreign_keys(connection, record):
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        return run(connection)


async def _within_postgresql(url: str, run: Callable[[Connection], T]) -> T:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        # As asyncpg by itself: JSON comes as text, for the columns' types to read.
        json_deserializer=str,
    )
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(run)
    finally:
        await engine.dispose()
