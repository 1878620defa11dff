"""The one module that imports Alembic at run time."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, MetaData, text

from hubbub.kernel.errors import Conflict

# Hubs that start together take turns. The number means nothing else.
_LOCK: Final = 0x6875_6262_7562


def migrate(connection: Connection) -> None:
    """Bring the database to the newest revision, inside the connection's transaction.

    Raises:
        Conflict: if it stands at a revision that this version does not know.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise Conflict(f"the database is not of this version: {error}") from error


def configuration(connection: Connection, target_metadata: MetaData | None = None) -> Config:
    """What Alembic is told, without a file."""
    config = Config()
    # Percent signs are Alembic's own interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["target_metadata"] = target_metadata
    return config
