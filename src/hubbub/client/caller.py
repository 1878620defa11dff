"""The caller's side: one way to call, whether from a program, a spoke or inside a call."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from typing import Any, Literal

from msgspec import Raw

from hubbub.client.backoff import RETRY, Backoff, hint_ms
from hubbub.client.connection import Connection
from hubbub.client.pending import Answer, PendingCall, PendingSubscription, Watcher
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import Busy, RateLimited, TimedOut, Unavailable
from hubbub.protocol import codec, frames

TIMEOUT_S = 60.0
LATER_S_MAX = 365 * 24 * 3600.0  # a time without end is one that no hub waits for

Mode = Literal["skip", "kill", "killnowait"]
"""How to abort: let it run and do not wait, wait until it stopped, or stop it and do not wait."""


class Call:
    """A call that was started. It ends once, and everyone who waits for it gets the same."""

    def __init__(self, connection: Connection, request_id: str, pending: PendingCall) -> None:
        self._connection = connection
        self._request_id = request_id
        self._pending = pending

    @property
    def call_id(self) -> str:
        """The hub's id of this call; empty until the hub has sent something about it."""
        return self._pending.call_id

    @property
    def finished(self) -> bool:
        return self._pending.finished

    async def result(self) -> Any:
        """What the operation returned.

        Raises:
            HubError: it failed, was aborted or timed out.
        """
        return (await self.answer()).data()

    async def answer(self) -> Answer:
        """As `result`, with the envelope."""
        return await self._pending.answer()

    async def abort(self, mode: Mode = "killnowait") -> None:
        """Ask for its end. `result` then raises `Aborted`, or returns if the answer was quicker."""
        await self._connection.abort(self._request_id, mode)

    def drop(self) -> None:
        """Abort it without waiting, for who will not ask for its result any more."""
        self._connection.drop(self._request_id)


class Caller:
    """Calls operations of a hub. `connection` waits for one that is up."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        parent: str | None = None,
        retry: Backoff = RETRY,
    ) -> None:
        self._connected = connection
        self._parent = parent
        self._retry = retry

    async def call(
        self,
        operation: str,
        input: object = None,
        *,
        timeout_s: float | None = TIMEOUT_S,
        provider: str | None = None,
        parent: str | None = None,
    ) -> Any:
        """Call an operation, and return what it returned.

        A refusal of a call that did not start (BUSY, RATE_LIMITED, UNAVAILABLE) is waited out and
        the call sent again, as long as `timeout_s` allows. One that may have run is never sent
        again: when the connection is lost it ends with `Aborted`, reason `connection_lost`.
        Cancelling the task that waits here aborts the call.

        Args:
            operation: its id, `namespace.name`.
            input: an object of JSON: a dict or a msgspec struct.
            timeout_s: for all of it, waiting for a connection included; None for no bound.
            provider: the one that shall answer, by id or name.
            parent: id of the call on whose behalf this is.

        Raises:
            HubError: whatever the call ended with.
        """
        answer = await self.call_raw(
            operation, input, timeout_s=timeout_s, provider=provider, parent=parent
        )
        return answer.data()

    async def call_raw(
        self,
        operation: str,
        input: object = None,
        *,
        timeout_s: float | None = TIMEOUT_S,
        provider: str | None = None,
        parent: str | None = None,
    ) -> Answer:
        """As `call`; returns the whole envelope, its bytes as they came, and the call's id."""
        data = _encoded(input)
        ends = _end(timeout_s)
        for attempt in count():
            try:
                call = await self.start(
                    operation, data, timeout_s=_left(ends), provider=provider, parent=parent
                )
                return await _awaited(call)
            except (Busy, RateLimited, Unavailable) as refusal:
                delay_s = self._retry.delay_s(attempt, hint_ms(refusal.details))
                if ends is not None and time.monotonic() + delay_s >= ends:
                    raise
            await asyncio.sleep(delay_s)
        raise AssertionError("count() does not end")

    async def start(
        self,
        operation: str,
        input: object = None,
        *,
        timeout_s: float | None = TIMEOUT_S,
        provider: str | None = None,
        parent: str | None = None,
        progress: Watcher | None = None,
    ) -> Call:
        """Send a call, once, and return without waiting for its answer.

        Args:
            progress: called for each report of how far it has come; must not block.

        Raises:
            Unavailable: there is no connection, and none came within `timeout_s`.
        """
        ends = _end(timeout_s)
        connection = await self._connection(timeout_s)
        left_s = _left(ends)
        requested = frames.Requested(
            request_id=connection.new_id(),
            operation_id=operation,
            input=_encoded(input),
            provider=provider,
            parent_request_id=parent or self._parent,
            deadline=None if left_s is None else epoch_ms() + int(left_s * 1000),
        )
        pending = PendingCall(progress)
        await connection.request(requested, pending, left_s)
        return Call(connection, requested.request_id, pending)

    async def subscribe(
        self,
        operation: str,
        input: object = None,
        *,
        idle_timeout_s: float | None = None,
        provider: str | None = None,
        parent: str | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Iterate over the answers of a subscription; it begins with the first step.

        Leaving early aborts it. Answers that are not taken wait in memory, 8 MiB at most; then the
        subscription ends with `Aborted`, reason `slow_consumer`.

        Args:
            idle_timeout_s: how long to wait for each answer.

        Raises:
            TimedOut: no answer for `idle_timeout_s`.
            HubError: whatever it ended with.
        """
        connection = await self._connection(TIMEOUT_S)
        requested = frames.Requested(
            request_id=connection.new_id(),
            operation_id=operation,
            input=_encoded(input),
            provider=provider,
            parent_request_id=parent or self._parent,
            idle_timeout=_ms(idle_timeout_s),
        )
        pending = PendingSubscription()
        await connection.request(requested, pending)
        try:
            while (answer := await _next(pending, idle_timeout_s)) is not None:
                yield answer.data()
        finally:
            connection.drop(requested.request_id)

    async def abort(self, call: Call, mode: Mode = "killnowait") -> None:
        """As `call.abort(mode)`."""
        await call.abort(mode)

    async def search(self, text: str, limit: int = 10) -> Any:
        """The operations that fit `text` best, as `operation.search` answers."""
        return await self.call("operation.search", {"text": text, "limit": limit})

    async def _connection(self, timeout_s: float | None) -> Connection:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connected()
        except TimeoutError:
            raise Unavailable("there is no connection to the hub") from None


async def _awaited(call: Call) -> Answer:
    try:
        return await call.answer()
    except asyncio.CancelledError:
        call.drop()
        raise


async def _next(pending: PendingSubscription, idle_timeout_s: float | None) -> Answer | None:
    try:
        async with asyncio.timeout(idle_timeout_s):
            return await pending.next()
    except TimeoutError:
        raise TimedOut("no answer came in time", idleTimeoutS=idle_timeout_s) from None


def _encoded(input: object) -> Raw:
    match input:
        case Raw():
            return input
        case None:
            return frames.EMPTY_INPUT
        case _:
            return Raw(codec.encode(input))


def _ms(duration_s: float | None) -> int | None:
    return None if duration_s is None else int(min(duration_s, LATER_S_MAX) * 1000)


def _end(timeout_s: float | None) -> float | None:
    """When so many seconds will be over, by the monotonic clock."""
    return None if timeout_s is None else time.monotonic() + min(timeout_s, LATER_S_MAX)


def _left(ends: float | None) -> float | None:
    return None if ends is None else max(0.0, ends - time.monotonic())
