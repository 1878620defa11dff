"""What a function that a spoke offers may know of the call that it answers."""

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from hubbub.client.caller import TIMEOUT_S, Caller
from hubbub.client.connection import Connection
from hubbub.client.transport import Closed
from hubbub.kernel.clock import from_epoch_ms
from hubbub.protocol import frames


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, as the hub tells it."""

    id: str
    scopes: tuple[str, ...] = ()


class CallContext:
    """Taken by a parameter annotated with this type, whatever its name."""

    def __init__(self, requested: frames.Requested, connection: Connection) -> None:
        self._requested = requested
        self._connection = connection
        self._caller = Caller(self._same_connection, parent=requested.request_id)
        self._cancelled = False

    @property
    def call_id(self) -> str:
        """The hub's id of this call."""
        return self._requested.request_id

    @cached_property
    def identity(self) -> Identity | None:
        """Who calls; None if the hub let someone in without an account."""
        raw = self._requested.identity
        return msgspec.json.decode(raw, type=Identity | None) if raw else None

    @property
    def deadline(self) -> datetime | None:
        """When the hub ends this call, by the hub's clock; None if it does not.

        The hub keeps it: when the time has come it aborts the call. The spoke does not look at its
        own clock, which may be wrong.
        """
        ms = self._requested.deadline
        return None if ms is None else from_epoch_ms(ms)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more. A function in a thread, which cannot be
        stopped, should look at it now and then."""
        return self._cancelled

    def cancel(self) -> None:
        """Called by the spoke when the call is aborted."""
        self._cancelled = True

    async def progress(
        self, progress: float, total: float | None = None, message: str = ""
    ) -> None:
        """Tell the caller how far it has come; waits while the hub does not keep up."""
        payload = frames.Progressed(
            request_id=self.call_id, progress=progress, total=total, message=message
        )
        try:
            await self._connection.send(frames.CallProgressed(id=self.call_id, payload=payload))
        except Closed:
            # The reader notices too, and cancels this call.
            return

    async def call(
        self,
        operation: str,
        input: object = None,
        *,
        timeout_s: float | None = TIMEOUT_S,
        provider: str | None = None,
    ) -> Any:
        """As `Hub.call`, on behalf of this call: it is recorded as its child and ends with it."""
        return await self._caller.call(operation, input, timeout_s=timeout_s, provider=provider)

    def subscribe(
        self,
        operation: str,
        input: object = None,
        *,
        idle_timeout_s: float | None = None,
        provider: str | None = None,
    ) -> AsyncGenerator[Any, None]:
        """As `Hub.subscribe`, on behalf of this call."""
        return self._caller.subscribe(
            operation, input, idle_timeout_s=idle_timeout_s, provider=provider
        )

    async def _same_connection(self) -> Connection:
        # Lineage holds within a connection: after a reconnect the parent is over.
        return self._connection
