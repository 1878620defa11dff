"""What an operation is given besides its input. The type of the context is the operation's mode."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from msgspec import Raw

from hubbub.kernel.errors import Unauthenticated
from hubbub.operations.access import Identity
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import NOTHING
from hubbub.storage.database import Database
from hubbub.storage.transaction import ReadTransaction, WriteTransaction


class Peer(Protocol):
    """The connection over which a call came, for operations that concern it."""

    connection_id: str

    @property
    def open(self) -> bool:
        """Whether it still stands."""

    def send(self, frame: bytes) -> None:
        """Hand over a frame; never waits. A peer that does not read is cut off."""

    def close(self, code: int, reason: str) -> None:
        """End the connection."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls, and how."""

    identity: Identity | None = None
    key_id: str | None = None
    """The API key that opened the door; None inside the hub and where no key was shown."""
    until: datetime | None = None
    """When that key expires; None for never."""
    peer: Peer | None = None
    """None for calls that came by themselves, as over HTTP."""

    @property
    def account_id(self) -> str:
        """Whose call it is.

        Raises:
            Unauthenticated: if nobody said.
        """
        if self.identity is None:
            raise Unauthenticated("a key is required")
        return self.identity.id

    @cached_property
    def identity_json(self) -> Raw:
        """The identity as providers and records have it; empty without one."""
        return NOTHING if self.identity is None else Raw(encode(self.identity))

    def has(self, scope: str) -> bool:
        return self.identity is not None and scope in self.identity.scopes


@dataclass(frozen=True, kw_only=True)
class _Common:
    caller: Caller
    call_id: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Reading(_Common):
    """For queries: a read transaction."""

    tx: ReadTransaction


@dataclass(frozen=True, kw_only=True)
class Writing(_Common):
    """For mutations: a write transaction. May be run again, so read, judge, write and publish."""

    tx: WriteTransaction


class Nested(Protocol):
    """Calls from inside a call: they carry its lineage and its caller's identity."""

    def __call__(
        self, operation_id: str, input: bytes, *, provider: str | None, timeout_ms: int | None
    ) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, kw_only=True)
class Context(_Common):
    """For operations that wait on others. They hold no transaction while they do."""

    database: Database
    nested: Nested
    """Answers are response envelopes."""
    progress: Callable[[float, float | None, str], None]

    def writing(self, tx: WriteTransaction) -> Writing:
        """The same call in the transaction that writes what was waited for."""
        return Writing(caller=self.caller, call_id=self.call_id, now=self.now, tx=tx)


Handler = Callable[..., Awaitable[object] | AsyncIterator[object]]
