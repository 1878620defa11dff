"""What a domain's store works in: it reads, or it reads and writes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Table
from sqlalchemy.sql import Executable

from hubbub.kernel.errors import Invalid
from hubbub.storage.statements import Row, Statements

DialectName = Literal["sqlite", "postgresql"]


class ConstraintViolated(Exception):
    """The database refused a row. A store judges before it writes, so this is a lost race or a
    bug; a write is run again once before it escapes."""


class Unkeepable(Invalid):
    """A value that this database cannot hold, though it is good JSON and good text."""


class Rows(list[Row]):
    """What a statement gave, all of it."""

    changed: int = 0
    """Rows that a change touched."""

    def one_or_none(self) -> Row | None:
        if len(self) > 1:
            raise ValueError(f"{len(self)} rows where at most one was expected")
        return self[0] if self else None

    def scalar(self) -> Any:
        """The first column of the only row; None where there is no row."""
        row = self.one_or_none()
        return None if row is None else next(iter(vars(row).values()))


class Transaction(ABC):
    """A consistent view of the database. Await nothing but its own methods while it is open."""

    dialect: DialectName

    @abstractmethod
    async def execute(self, statement: Executable, **values: object) -> Rows:
        """Run one statement.

        Args:
            values: its bind parameters, and the columns of an insert or update. A statement that
                leaves all its values to these can be a constant of its store: to make it anew
                costs more than to run it.
        """


class ReadTransaction(Transaction):
    """Reads; a write through it is refused by the database."""


class WriteTransaction(Transaction):
    """Reads and writes; kept whole or not at all."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.events: list[object] = []

    def publish(self, event: object) -> None:
        """Tell whoever listens, after this was committed and only then."""
        self.events.append(event)

    async def execute_many(
        self, statement: Executable, values: Sequence[Mapping[str, object]]
    ) -> None:
        """Run one statement for each of `values`, which all name the same columns."""
        if values:
            prepared = self._statements.prepare(statement, values[0])
            await self._run_many(
                prepared.compiled.sql, [prepared.arguments(each) for each in values]
            )

    async def insert_many(
        self,
        table: Table,
        columns: tuple[str, ...],
        rows: Sequence[Sequence[object]],
        *,
        missing_only: bool = False,
    ) -> None:
        """Insert rows whose values stand in the order of `columns`: the way for many.

        Args:
            missing_only: leave a row alone that is there already.
        """
        if rows:
            insertion = self._statements.insertion(table, columns, missing_only=missing_only)
            await self._run_many(insertion.sql, insertion.arguments(rows))

    @abstractmethod
    async def _run_many(self, sql: str, arguments: Sequence[Sequence[object]]) -> None:
        """Run one statement once for each of `arguments`."""
