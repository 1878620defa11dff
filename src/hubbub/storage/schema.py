"""What all tables share: their metadata, their common columns, the shapes of their constraints."""

from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, Index, MetaData, Text, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from hubbub.storage.types import Json, Timestamp

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class current_moment(FunctionElement[Any]):
    """The database's clock, in the form of a `Timestamp`."""

    type = Timestamp()
    inherit_cache = True


@compiles(current_moment)
def _moment_on_postgresql(element: object, compiler: object, **kwargs: object) -> str:
    return "now()"


@compiles(current_moment, "sqlite")
def _moment_on_sqlite(element: object, compiler: object, **kwargs: object) -> str:
    # SQLite's clock stops at milliseconds; the zeros keep the width.
    return "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"


def common_columns() -> tuple[Column[Any], ...]:
    """What every table of the hub begins with."""
    return (
        Column("id", Text, primary_key=True),
        Column("metadata", Json, server_default="{}"),
        moment("created_at"),
        moment("updated_at", renewed=True),
    )


def moment(name: str, *, renewed: bool = False) -> Column[Any]:
    """A time that the database fills in, again with every update if `renewed`."""
    return Column(
        name,
        Timestamp,
        nullable=False,
        server_default=current_moment(),
        onupdate=current_moment() if renewed else None,
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of these, or null where it may be null."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def partial_index(
    name: str, *columns: str, where: str, sqlite_where: str | None = None, unique: bool = False
) -> Index:
    """An index over some of the rows.

    SQLite's planner compares conditions word by word, and its booleans are
    written as numbers: where there is one, `sqlite_where` says the same with these.
    """
    return Index(
        name,
        *columns,
        unique=unique,
        postgresql_where=text(where),
        sqlite_where=text(sqlite_where or where),
    )
