"""The database as the rest of the house sees it: `reading()` and `write(work)`."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

from hubbub.kernel.errors import Invalid
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

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[ReadTransaction]:
        """A snapshot to read from. Hold it no longer than the statements take."""

    @abstractmethod
    async def write(self, work: Work[T]) -> T:
        """Run `work` in a serializable transaction and commit it; its events go out afterwards.

        `work` may be run again after a lost race: it only reads, judges, writes and publishes
        through the transaction that it is given, and awaits nothing else.
        """

    @abstractmethod
    async def health(self) -> Health:
        """Whether it answers, and how far behind it is."""

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
