"""What is stored."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column
from sqlalchemy.dialects import postgresql, sqlite

from hubbub.tables import metadata
from reference.markdown import link, table

DIALECTS: Final = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]  # they have no types


def page() -> str:
    parts = [
        "# Tables",
        "What is stored, in SQLite and PostgreSQL alike. Who else reads these tables reads what an "
        "upgrade may change: [operations](operations.md) are what is promised.",
    ]
    for each in sorted(metadata.tables.values(), key=lambda found: found.name):
        rows = (_column(column) for column in each.columns)
        columns = table(("column", "SQLite", "PostgreSQL", "null", "refers to"), rows)
        parts.append(f"## {each.name}\n\n{columns}")
    return "\n\n".join(parts)


def _column(column: Column[Any]) -> Sequence[str]:
    targets = [key.target_fullname for key in column.foreign_keys]
    return (
        f"`{column.name}`{' (key)' if column.primary_key else ''}",
        *(str(column.type.compile(dialect=dialect)) for dialect in DIALECTS),
        "yes" if column.nullable else "",
        ", ".join(link(target.partition(".")[0], target) for target in targets),
    )
