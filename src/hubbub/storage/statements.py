"""SQLAlchemy Core states what is asked; the bare driver asks it.

A statement is compiled once per dialect; what changes from one execution to the next is the values
alone. One that a store made once, with its values to come, is found by itself. One that is made on
the spot is found by what it says, and to make it and to look at it costs several times as much as
to run it, so what is on a busy path is made once. Going to the driver directly costs a tenth of
what SQLAlchemy's own execution does, and lets one text run in a writer thread and on asyncpg.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

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
class Compiled:
    """What a statement says, and how values go in and come out."""

    sql: str
    parameters: tuple[tuple[str, Processor | None], ...]
    """In the order in which the driver takes them."""
    columns: tuple[tuple[str, Processor | None], ...]

    def rows(self, fetched: Sequence[Sequence[Any]]) -> list[Row]:
        """The driver's rows as the tables' types have them."""
        return [
            Row(
                **{
                    name: value if process is None or value is None else process(value)
                    for (name, process), value in zip(self.columns, row, strict=True)
                }
            )
            for row in fetched
        ]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A statement ready for the driver, all but its values."""

    compiled: Compiled
    constants: Mapping[str, object]
    """The values that the statement itself brings."""

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """What the driver takes for `values`."""
        known = {**self.constants, **values}
        return [
            known[name] if process is None else process(known[name])
            for name, process in self.compiled.parameters
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
        self._insertions: dict[tuple[str, tuple[str, ...], bool], Insertion] = {}
        # No value refers to its key, so it lasts no longer than that.
        self._prepared: WeakKeyDictionary[Executable, dict[tuple[str, ...], Prepared]] = (
            WeakKeyDictionary()
        )
        self._compiled: WeakKeyDictionary[SQLCompiler, Compiled] = WeakKeyDictionary()
        self._compilers: LRUCache[Any, Any] = LRUCache(1000)

    def prepare(self, statement: Executable, values: Mapping[str, object]) -> Prepared:
        """`statement` for values of these names."""
        names = tuple(values)
        kept = self._prepared.get(statement)
        if kept is not None and names in kept:
            return kept[names]
        compiler, extracted = self._compile(statement, names)
        compiled = self._compiled.get(compiler)
        if compiled is None:
            compiled = self._compiled[compiler] = self._read(compiler)
        constants = compiler.construct_params(
            dict(values), extracted_parameters=extracted, _no_postcompile=True
        )
        if compiler.post_compile_params or compiler.literal_execute_params:
            # A list is as many parameters as it is long: with the next one it is another text.
            return _expanded(compiler, compiled, constants)
        own = {name: value for name, value in constants.items() if name not in values}
        prepared = Prepared(compiled=compiled, constants=own)
        self._prepared.setdefault(statement, {})[names] = prepared
        return prepared

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
            compiled = self._read(self._compile(statement, columns)[0])
            known = self._insertions[key] = Insertion(
                sql=compiled.sql,
                order=tuple(columns.index(name) for name, _ in compiled.parameters),
                processors=tuple(process for _, process in compiled.parameters),
            )
        return known

    def _compile(self, statement: Executable, names: Sequence[str]) -> tuple[SQLCompiler, Any]:
        # SQLAlchemy keeps this entry to itself, and there is no public one that separates a
        # statement from its values; hence the upper bound on its version.
        compiler, extracted, *_ = statement._compile_w_cache(
            self._dialect,
            compiled_cache=self._compilers,
            column_keys=sorted(names),
            # For one row it may ask to have back what the database filled in.
            for_executemany=True,
        )
        assert isinstance(compiler, SQLCompiler)
        return compiler, extracted

    def _read(self, compiler: SQLCompiler) -> Compiled:
        return Compiled(
            sql=str(compiler),
            parameters=_parameters(compiler.positiontup, compiler._bind_processors),
            columns=tuple(
                (
                    entry.keyname.lstrip("_"),
                    entry.type.dialect_impl(self._dialect).result_processor(self._dialect, _FLOAT8),
                )
                for entry in compiler._result_columns
            ),
        )


def _expanded(compiler: SQLCompiler, compiled: Compiled, values: Any) -> Prepared:
    expanded = compiler._process_parameters_for_postcompile(values)
    processors = {**compiler._bind_processors, **expanded.processors}
    return Prepared(
        compiled=replace(
            compiled,
            sql=expanded.statement,
            parameters=_parameters(expanded.positiontup, processors),
        ),
        constants=expanded.parameters,
    )


def _parameters(
    names: Sequence[str] | None, processors: Mapping[str, Any]
) -> tuple[tuple[str, Processor | None], ...]:
    # A processor may be several, for columns of several values, which are not used here.
    return tuple((name, processors.get(name)) for name in names or ())
