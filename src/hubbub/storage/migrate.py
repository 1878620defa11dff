"""Bring a database to the newest schema.

Blocks, and opens a connection of its own: call it from a thread, before the database is used for
anything else. A hub that is up to date imports neither Alembic nor SQLAlchemy's engines, which
together take longer than all the rest of its start.
"""

import sqlite3
from importlib import import_module

from hubbub.storage.database import dialect_of
from hubbub.storage.migrations import HEAD


def upgrade(url: str) -> None:
    """Run the migrations that the database has not seen, all or none of them.

    Two hubs may do so at once: the second waits, then finds nothing to do.
    """
    if current(url) != HEAD:
        session = import_module("hubbub.storage.migrations.session")
        migrate = import_module("hubbub.storage.migrations.run").migrate
        session.within(url, migrate, writes=True)


def current(url: str) -> str | None:
    """The revision that the database stands at, or None if it was never migrated."""
    if dialect_of(url) == "sqlite":
        return _of_file(url.removeprefix("sqlite:///"))
    server = import_module("hubbub.storage.migrations.server")
    revision: str | None = server.revision(url)
    return revision


def _of_file(path: str) -> str | None:
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None  # there is no such table
    finally:
        connection.close()
    return None if row is None else str(row[0])
