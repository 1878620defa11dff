"""The database as the rest of the house sees it: `reading()` and `write(work)`."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from hubbub.kernel.errors import Invalid
from hubbub.storage import dialect
from hubbub.storage.transaction import DialectName, ReadTransaction, WriteTransaction

T = TypeVar("T")

Work = Callable[[WriteTransaction], Awaitable[T]]


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the database is. Sizes in bytes."""

    ready: bool
    detail: str
    pending_writes: int
    wal_bytes: int


class Database(ABC):
    """One schema on SQLite or PostgreSQL."""

    dialect: DialectName
    faults: tuple[type[Exception], ...]
    """What the driver raises from a write that the database would not take."""

    def __init__(self) -> None:
        self._fault: Exception | None = None  # of the last write, if it met one

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[ReadTransaction]:
        """A snapshot to read from. Hold it no longer than the statements take."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a serializable transaction and commit it; its events go out afterwards.

        `work` may be run again after a lost race: it only reads, judges, writes and publishes
        through the transaction that it is given, and awaits nothing else.
        """
        try:
            written = await self._written(work)
        except self.faults as error:
            self._fault = error
            raise
        self._fault = None
        return written

    @abstractmethod
    async def _written(self, work: Work[T]) -> T:
        """`write`, as this database does it."""

    async def health(self) -> Health:
        """Whether it can be read and written, and how far behind it is."""
        if self._fault is not None:
            # A disk that was full may have room again, and perhaps nobody else would find out.
            with suppress(*self.faults):
                await self.write(dialect.try_to_write)
        health = await self._health()
        if self._fault is None:
            return health
        detail = f"{health.detail}; the last write failed: {self._fault}"
        return replace(health, ready=False, detail=detail)

    @abstractmethod
    async def _health(self) -> Health:
        """Whether it answers."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted, then let go."""


def dialect_of(url: str) -> DialectName:
    """Which of the two databases a URL names.

    Raises:
        Invalid: for any other.
    """
    if url.startswith("sqlite:///"):
        return "sqlite"
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql"
    raise Invalid(
        "that is not a database of this hub",
        errors=[{"field": "database", "expected": "sqlite:///PATH or postgresql://..."}],
    )
