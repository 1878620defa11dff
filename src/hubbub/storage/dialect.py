"""What the two databases say differently, in pairs."""

from typing import Any

from sqlalchemy import ColumnElement, Text, func, literal

from hubbub.storage.transaction import Transaction


def json_text(tx: Transaction, column: ColumnElement[Any], key: str) -> ColumnElement[str]:
    """The text under `key` of a JSON object."""
    if tx.dialect == "postgresql":
        # Left alone, the key would take the type of the column.
        return column.op("->>", return_type=Text())(literal(key, Text()))
    return func.json_extract(column, f"$.{key}", type_=Text())
