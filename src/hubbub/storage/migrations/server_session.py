"""SQLAlchemy's own connection to a PostgreSQL server, which needs the extra `postgres`."""

import asyncio
import shlex
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

T = TypeVar("T")


def within(url: URL, work: Callable[[Connection], T]) -> T:
    """What `work` returns, done in one transaction."""
    return asyncio.run(_within(url, work))


async def _within(url: URL, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg").difference_update_query(
            ["options", "search_path"]
        ),
        poolclass=NullPool,
        connect_args={"server_settings": dict(_server_settings(url))},
    )
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _server_settings(url: URL) -> Iterator[tuple[str, str]]:
    """What the URL's query sets on the server: `options=-c name=value`, `search_path=value`."""
    for options in url.normalized_query.get("options", ()):
        for word in shlex.split(options):
            name, equals, value = word.removeprefix("-c").removeprefix("--").partition("=")
            if equals:
                yield name.replace("-", "_"), value
    for search_path in url.normalized_query.get("search_path", ()):
        yield "search_path", search_path
