"""A connection by which SQLAlchemy itself reaches a database, for migrations alone."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

T = TypeVar("T")

_TURN_S: Final = 60


def within(url: str, work: Callable[[Connection], T], *, writes: bool) -> T:
    """What `work` returns, done in one transaction."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _within_sqlite(parsed, work, begin="BEGIN IMMEDIATE" if writes else "BEGIN")
    # It comes with an extra, which a hub on SQLite does without.
    server = import_module("hubbub.storage.migrations.server_session")
    result: T = server.within(parsed, work)
    return result


def _within_sqlite(url: URL, work: Callable[[Connection], T], begin: str) -> T:
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": _TURN_S})

    # Left alone, the driver begins no transaction before a CREATE TABLE, and a
    # migration that fails would leave half of its tables behind.
    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    with engine.begin() as connection:
        return work(connection)
