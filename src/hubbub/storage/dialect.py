"""What the two databases say differently, in pairs."""

from typing import Any

from sqlalchemy import ColumnElement, Text, func, literal, text

from hubbub.storage.transaction import Transaction, WriteTransaction


def json_text(tx: Transaction, column: ColumnElement[Any], key: str) -> ColumnElement[str]:
    """The text under `key` of a JSON object."""
    if tx.dialect == "postgresql":
        # Left alone, the key would take the type of the column.
        return column.op("->>", return_type=Text())(literal(key, Text()))
    return func.json_extract(column, f"$.{key}", type_=Text())


async def try_to_write(tx: WriteTransaction) -> None:
    """Write something that changes nothing."""
    if tx.dialect == "postgresql":
        await tx.execute(text("UPDATE alembic_version SET version_num = version_num"))
    else:
        # A row that stays the same would not be written. This number, which nobody uses, is.
        await tx.execute(text("PRAGMA user_version = 0"))
