"""Calls as they come and go, for whoever looks on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from hubbub.operations.recording import CallRecord, Status

WAITING_MAX: Final = 1000


class CallEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call began or ended."""

    event: Literal["began", "ended"]
    id: str
    operation: str
    status: Status
    parent_id: str | None
    account_id: str | None
    provider: str | None
    at: datetime
    duration_ms: float | None
    error: str | None
    """The code of the error, if there was one."""
    missed: int
    """Events left out just before this one, because you did not keep up."""


class _Watcher:
    def __init__(self, only: str | None) -> None:
        self.only = only
        self.events: asyncio.Queue[CallEvent] = asyncio.Queue(WAITING_MAX)
        self.missed = 0


class Watch:
    """A `Recorder` that tells those who look on. Costs nothing while nobody does."""

    behind = False

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()

    async def events(self, only: str | None) -> AsyncIterator[CallEvent]:
        """What happens from now on to the calls of this account; without one, to everybody's."""
        watcher = _Watcher(only)
        self._watchers.add(watcher)
        try:
            while True:
                yield await watcher.events.get()
        finally:
            self._watchers.discard(watcher)

    def began(self, call: CallRecord) -> None:
        if self._watchers:
            self._tell("began", call)

    def ended(self, call: CallRecord) -> None:
        if self._watchers:
            self._tell("ended", call)

    def _tell(self, event: Literal["began", "ended"], call: CallRecord) -> None:
        identity = call.caller.identity
        owner = None if identity is None else identity.id
        for watcher in self._watchers:
            if watcher.only is not None and watcher.only != owner:
                continue
            if watcher.events.full():
                watcher.missed += 1
                continue
            watcher.events.put_nowait(_event(event, call, owner, watcher.missed))
            watcher.missed = 0


def _event(
    event: Literal["began", "ended"], call: CallRecord, owner: str | None, missed: int
) -> CallEvent:
    ended = event == "ended"
    return CallEvent(
        event=event,
        id=call.id,
        operation=call.operation_id,
        status=call.status,
        parent_id=call.parent_id,
        account_id=owner,
        provider=call.provider_id,
        at=datetime.fromtimestamp((call.ended_ns or call.created_ns) / 1e9, UTC),
        duration_ms=(call.ended_ns - call.created_ns) / 1e6 if ended else None,
        error=call.error.name if call.error is not None else None,
        missed=missed,
    )
