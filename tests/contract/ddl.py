"""The contract as DDL, so that a database can say in its own words what the contract means."""

from collections.abc import Iterator

from .document import Row, of_kind

BOOKKEEPING = "alembic_version"
_NOW = {"postgresql": "now()", "sqlite": "(strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'))"}
_COLUMN_OF_TYPE = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def statements(dialect: str) -> Iterator[str]:
    for table in of_kind("T"):
        if table["table"] != BOOKKEEPING:
            yield _table(table["table"], dialect)
    if dialect == "postgresql":
        for key in enforced_keys():
            yield f"ALTER TABLE {key['table']} ADD {_foreign_key(key)}"
    for index in of_kind("I"):
        yield _index(index, dialect)


def enforced_keys() -> list[Row]:
    """The relationships that the database knows of."""
    return [row for row in of_kind("F") if row["on delete"] not in ("none", "application")]


def check(row: Row) -> str:
    """The condition of a CHECK row."""
    if "expression" in row.cells:
        return row["expression"]
    return f"{row['column']} IN ({', '.join(row.names('values'))})"


def _table(table: str, dialect: str) -> str:
    columns = [row for row in of_kind("C") if row["table"] == table]
    parts = [_column(row, dialect) for row in columns]
    parts += [
        f"CONSTRAINT pk_{table} PRIMARY KEY ({row['column']})"
        for row in columns
        if row["key"].startswith("PK") and not _counts(row, dialect)
    ]
    parts += [
        f"CONSTRAINT {row['check']} CHECK ({check(row)})"
        for row in of_kind("K")
        if row["table"] == table
    ]
    if dialect == "sqlite":
        parts += [_foreign_key(key) for key in enforced_keys() if key["table"] == table]
    return f"CREATE TABLE {table} ({', '.join(parts)})"


def _column(row: Row, dialect: str) -> str:
    words = [f'"{row["column"]}"', row[_COLUMN_OF_TYPE[dialect]]]
    default = row["default"]
    if default.startswith("generated: "):
        words.append(f"GENERATED ALWAYS AS ({default.removeprefix('generated: ')}) STORED")
    elif default == "now":
        words.append(f"DEFAULT {_NOW[dialect]}")
    elif default:
        words.append(f"DEFAULT {_as_stored(default, dialect)}")
    if row["null"] == "no":
        words.append("NOT NULL")
    if _counts(row, dialect):
        words.append("PRIMARY KEY AUTOINCREMENT")
    return " ".join(words)


def _counts(row: Row, dialect: str) -> bool:
    return dialect == "sqlite" and "autoincrement" in row["key"]


def _foreign_key(row: Row) -> str:
    table, column = row["references"].split(".")
    return (
        f"CONSTRAINT fk_{row['table']}_{row['column']} FOREIGN KEY ({row['column']}) "
        f"REFERENCES {table} ({column}) ON DELETE {row['on delete']}"
    )


def _index(row: Row, dialect: str) -> str:
    kind = row["kind"]
    unique = "UNIQUE " if kind.startswith("unique") else ""
    using = "USING gin " if dialect == "postgresql" and kind == "gin" else ""
    operators = kind.removeprefix("btree ") if kind.startswith("btree ") else ""
    columns = ", ".join(
        f"{column} {operators if dialect == 'postgresql' else ''}".strip()
        for column in row.names("columns")
    )
    predicate = row["predicate"]
    where = f" WHERE {_as_stored(predicate, dialect)}" if predicate else ""
    return f"CREATE {unique}INDEX {row['index']} ON {row['table']} {using}({columns}){where}"


def _as_stored(expression: str, dialect: str) -> str:
    if dialect == "postgresql":
        return expression
    return expression.replace("true", "1").replace("false", "0")
