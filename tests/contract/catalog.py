"""What a live database holds, as a set of sentences that can be compared."""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from .ddl import BOOKKEEPING


def facts(connection: Connection) -> set[str]:
    read = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    return set(read(connection))


def tables(connection: Connection) -> set[str]:
    named = (fact.split() for fact in facts(connection))
    return {words[1] for words in named if words[0] == "table"}


def _postgresql(connection: Connection) -> Iterator[str]:
    for query in (
        # Anything that has rows or a definition: tables, views, sequences, foreign tables.
        """SELECT CASE relkind WHEN 'r' THEN 'table' ELSE 'other ' || relkind::text END
             || ' ' || relname
           FROM pg_class WHERE relnamespace = current_schema()::regnamespace
             AND relkind NOT IN ('i', 'I', 't', 'c') AND relname <> :bookkeeping""",
        """SELECT format('column %s.%s %s%s default %s %s', relname, attname,
             format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' not null' END,
             coalesce(pg_get_expr(adbin, adrelid), 'none'),
             CASE attgenerated WHEN 's' THEN 'stored' ELSE '' END || attidentity::text)
           FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
             LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
           WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
             AND attnum > 0 AND NOT attisdropped AND relname <> :bookkeeping""",
        # PostgreSQL 18 lists NOT NULL here; the columns have said it already.
        """SELECT format('constraint %s.%s %s', relname, conname, pg_get_constraintdef(c.oid))
           FROM pg_constraint c JOIN pg_class ON pg_class.oid = conrelid
           WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
             AND relname <> :bookkeeping""",
        """SELECT format('index %s.%s %s', tablename, indexname, indexdef)
           FROM pg_indexes WHERE schemaname = current_schema() AND tablename <> :bookkeeping""",
        """SELECT format('trigger %s.%s', relname, tgname)
           FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
           WHERE NOT tgisinternal AND relname <> :bookkeeping""",
    ):
        yield from connection.scalars(text(query), {"bookkeeping": BOOKKEEPING})


def _sqlite(connection: Connection) -> Iterator[str]:
    kept = connection.exec_driver_sql(
        "SELECT type, name, tbl_name, sql FROM sqlite_master "
        # What SQLite makes for itself: its own tables, and the index of a primary key.
        "WHERE name NOT LIKE 'sqlite_%' AND tbl_name <> ?",
        (BOOKKEEPING,),
    )
    for kind, name, table, sql in kept.all():
        match kind:
            case "table":
                yield f"table {name}"
                yield from _sqlite_table(connection, name, " ".join(sql.split()))
            case "index":
                yield f"index {table}.{name} {_sqlite_index(connection, name, sql)}"
            case _:
                yield f"{kind} {table}.{name}"


def _sqlite_table(connection: Connection, table: str, sql: str) -> Iterator[str]:
    for _, name, type_, not_null, default, key, hidden in connection.exec_driver_sql(
        f"PRAGMA table_xinfo({table})"
    ):
        generated = "generated" if hidden else ""
        null = "not null" if not_null else ""
        yield f"column {table}.{name} {type_} {null} default {default} key {key} {generated}"
    for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({table})"):
        _, _, other, column, to, on_update, on_delete, _ = row
        yield f"foreign key {table}.{column} {other}.{to} {on_update} {on_delete}"
    for row in connection.exec_driver_sql(f"PRAGMA index_list({table})"):
        # Constraints that make an index by themselves: u is UNIQUE, pk a primary key.
        if row[3] != "c":
            yield f"index by constraint {table} {row[3]}"
    # What the pragmas do not tell stands in the text of the statement.
    for name, condition in _conditions(sql, r"(?:CONSTRAINT (\w+) )?CHECK \("):
        yield f"check {table}.{name} {condition}"
    for _, expression in _conditions(sql, r"()GENERATED ALWAYS AS \("):
        yield f"generated {table} {expression} {'STORED' in sql}"
    if "AUTOINCREMENT" in sql:
        yield f"autoincrement {table}"


def _sqlite_index(connection: Connection, index: str, sql: str) -> str:
    columns = [
        (name, "desc" if descending else "asc", collation)
        for _, _, name, descending, collation, key in connection.exec_driver_sql(
            f"PRAGMA index_xinfo({index})"
        )
        if key
    ]
    unique = "unique" if sql.startswith("CREATE UNIQUE") else ""
    _, _, predicate = " ".join(sql.split()).partition(" WHERE ")
    return f"{unique} {columns} {predicate}"


def _conditions(sql: str, opening: str) -> Iterator[tuple[str, str]]:
    """What stands in the parentheses that `opening` opens, and the name before them."""
    for found in re.finditer(opening, sql):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        yield found[1], sql[found.end() : end - 1]
