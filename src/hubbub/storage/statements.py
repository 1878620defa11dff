"""SQLAlchemy Core states what is asked; the bare driver asks it.

A statement is compiled once per dialect and kept under its cache key; what changes from one
execution to the next is the values alone. Going to the driver directly costs a tenth of what
SQLAlchemy's own execution does, and lets one text run in a writer thread and on asyncpg.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import LRUCache

Processor = Callable[[Any], Any]

# What PostgreSQL calls the type of a `Number`. SQLAlchemy asks it of the driver, for numbers only.
_FLOAT8 = 701

# A row, its columns as attributes.
Row = SimpleNamespace


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A statement ready for the driver."""

    sql: str
    arguments: Sequence[object]
    columns: tuple[str, ...]
    processors: tuple[Processor | None, ...]

    def rows(self, fetched: Sequence[Sequence[Any]]) -> list[Row]:
        """The driver's rows as the tables' types have them."""
        return [
            Row(
                **{
                    name: value if process is None or value is None else process(value)
                    for name, value, process in zip(self.columns, row, self.processors, strict=True)
                }
            )
            for row in fetched
        ]


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """An insert that is run for many rows."""

    sql: str
    order: tuple[int, ...]
    """Which value of a row each parameter takes."""
    processors: tuple[Processor | None, ...]

    def arguments(self, rows: Sequence[Sequence[object]]) -> list[Sequence[object]]:
        """Rows as the driver takes them, made ready column by column: most need nothing done."""
        columns = list(zip(*rows, strict=True))
        ready = [
            columns[index] if process is None else map(process, columns[index])
            for index, process in zip(self.order, self.processors, strict=True)
        ]
        return list(zip(*ready, strict=True))


class Statements:
    """The compiled statements of one dialect."""

    def __init__(self, dialect: Dialect, insert: Callable[[Table], Any]) -> None:
        """
        Args:
            insert: the dialect's own, which knows `ON CONFLICT`.
        """
        self._dialect = dialect
        self._insert = insert
        self._compiled: LRUCache[Any, Any] = LRUCache(1000)
        self._insertions: dict[tuple[str, tuple[str, ...], bool], Insertion] = {}
        self._results: dict[int, tuple[SQLCompiler, tuple[str, ...], tuple[Any, ...]]] = {}

    def prepare(self, statement: Executable, values: Mapping[str, object]) -> Prepared:
        """`statement` with `values` in place of its bind parameters."""
        compiled, arguments = self._compile(statement, values, many=False)
        parameters = compiled.construct_params(
            dict(values), extracted_parameters=arguments, _no_postcompile=True
        )
        columns, processors = self._result_of(compiled)
        if compiled.post_compile_params or compiled.literal_execute_params:
            expanded = compiled._process_parameters_for_postcompile(parameters)
            return Prepared(
                sql=expanded.statement,
                arguments=_bound(
                    expanded.positiontup or (),
                    expanded.parameters,
                    {**compiled._bind_processors, **expanded.processors},
                ),
                columns=columns,
                processors=processors,
            )
        return Prepared(
            sql=str(compiled),
            arguments=_bound(compiled.positiontup or (), parameters, compiled._bind_processors),
            columns=columns,
            processors=processors,
        )

    def prepare_many(
        self, statement: Executable, values: Sequence[Mapping[str, object]]
    ) -> tuple[str, list[list[object]]]:
        """`statement` once, with the arguments of each execution. All name the same columns."""
        compiled, arguments = self._compile(statement, values[0], many=True)
        names = compiled.positiontup or ()
        constants = compiled.construct_params(
            dict(values[0]), extracted_parameters=arguments, _no_postcompile=True
        )
        processors = compiled._bind_processors
        rows = [_bound(names, {**constants, **each}, processors) for each in values]
        return str(compiled), rows

    def insertion(
        self, table: Table, columns: tuple[str, ...], *, missing_only: bool
    ) -> "Insertion":
        """An insert of rows whose values stand in the order of `columns`."""
        key = table.name, columns, missing_only
        known = self._insertions.get(key)
        if known is None:
            statement = self._insert(table)
            if missing_only:
                statement = statement.on_conflict_do_nothing()
            compiled, _ = self._compile(statement, dict.fromkeys(columns), many=True)
            names = compiled.positiontup or ()
            known = self._insertions[key] = Insertion(
                sql=str(compiled),
                order=tuple(columns.index(name) for name in names),
                processors=tuple(_one(compiled._bind_processors.get(name)) for name in names),
            )
        return known

    def _compile(
        self, statement: Executable, values: Mapping[str, object], *, many: bool
    ) -> tuple[SQLCompiler, Any]:
        # SQLAlchemy keeps this entry to itself, and there is no public one that separates a
        # statement from its values; hence the upper bound on its version.
        compiled, arguments, *_ = statement._compile_w_cache(
            self._dialect,
            compiled_cache=self._compiled,
            column_keys=sorted(values),
            for_executemany=many,
        )
        assert isinstance(compiled, SQLCompiler)
        return compiled, arguments

    def _result_of(self, compiled: SQLCompiler) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        known = self._results.get(id(compiled))
        if known is not None and known[0] is compiled:
            return known[1], known[2]
        entries = compiled._result_columns
        columns = tuple(entry.keyname.lstrip("_") for entry in entries)
        processors = tuple(
            entry.type.dialect_impl(self._dialect).result_processor(self._dialect, _FLOAT8)
            for entry in entries
        )
        if len(self._results) > 2000:
            self._results.clear()
        self._results[id(compiled)] = (compiled, columns, processors)
        return columns, processors


def _one(processor: Any) -> Processor | None:
    """A value's processor. Columns of several values, which have several, are not used here."""
    found: Processor | None = processor
    return found


def _bound(
    names: Sequence[str], values: Mapping[str, Any], processors: Mapping[str, Any]
) -> list[object]:
    return [
        values[name] if (process := processors.get(name)) is None else process(values[name])
        for name in names
    ]
