"""Requests that come in by a key, and the calls that they begin, which end when the key does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response

from hubbub.calls.model import Ask, Call, Sink
from hubbub.calls.offers import NotOffered
from hubbub.calls.waiting import Answer, Calls
from hubbub.identity.door import Door
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.guard import address_of, bearer
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import TooLarge
from hubbub.kernel.events import Bus
from hubbub.kernel.groups import ungrouped
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.operations.context import Caller

PROMPT_S: Final = 1.0
"""A body that took no longer needs no second look at its key, unless a key has changed."""


class Entrance:
    """Lets requests in."""

    def __init__(self, *, calls: Calls, door: Door, bus: Bus) -> None:
        self._calls = calls
        self._door = door
        self._open: dict[Call, asyncio.TimerHandle | None] = {}
        self._changes = 0
        bus.listen(KeyChanged, self._key_changed)

    async def enter(self, request: Request) -> Caller:
        """Whose request it is.

        Raises:
            Unauthenticated: if it shows no key that counts.
        """
        key = bearer(request.headers.get("authorization"))
        caller = await self._door.enter(key, address_of(request.scope))
        caller.account_id  # noqa: B018  # every call is somebody's
        return caller

    async def received(self, request: Request) -> tuple[Caller, bytes]:
        """Whose request it is, and its body, which strangers need not send.

        Raises:
            Unauthenticated: if it shows no key that counts.
            TooLarge: if the body is over the limit of a frame.
            ClientDisconnect: if it never came to its end.
        """
        caller = await self.enter(request)
        changes, due_s = self._changes, time.monotonic() + PROMPT_S
        body = await _body_of(request)
        # A body may take its time, and the key may have ended meanwhile.
        if changes != self._changes or time.monotonic() > due_s:
            caller = await self.enter(request)
        return caller, body

    @asynccontextmanager
    async def opened(
        self, ask: Ask, caller: Caller, *, wants_progress: bool = False
    ) -> AsyncIterator[tuple[Call, AsyncIterator[Answer]]]:
        """A call and its answers, as `Calls.opened` has them. It ends with its caller's key."""
        async with self._calls.opened(ask, caller, wants_progress=wants_progress) as (
            call,
            answers,
        ):
            self._hold(call)
            try:
                yield call, answers
            finally:
                self._release(call)

    async def begin(self, ask: Ask, caller: Caller, sink: Sink) -> Call:
        """A call whose end `sink` is told. Who begins it says by `end` when it is of no more use;
        until then it, too, ends with its caller's key.

        Raises:
            HubError: if it could not begin.
        """
        try:
            call = self._calls.router.open(ask, caller, sink)
        except NotOffered as error:
            raise await self._calls.explained(error, ask, caller) from error
        self._hold(call)
        return call

    def end(self, call: Call) -> None:
        """Nobody waits for this call any more."""
        self._release(call)
        self._calls.router.abort(call)

    def extend(self, call: Call, seconds: float) -> None:
        """Give a call more time, for a person is being asked."""
        self._calls.router.extend(call.id, round(seconds * 1000))

    def _hold(self, call: Call) -> None:
        expiry: asyncio.TimerHandle | None = None
        if call.caller.until is not None:
            left_s = (call.caller.until - utc_now()).total_seconds()
            expiry = asyncio.get_running_loop().call_later(left_s, self._shut_out, call)
        self._open[call] = expiry

    def _release(self, call: Call) -> None:
        expiry = self._open.pop(call, None)
        if expiry is not None:
            expiry.cancel()

    def _key_changed(self, changed: KeyChanged) -> None:
        self._changes += 1
        for call in list(self._open):
            if changed.concerns(call.caller):
                self._shut_out(call)

    def _shut_out(self, call: Call) -> None:
        if not call.changes_hub:
            self._calls.router.abort(call)


async def unless_left(request: Request, work: Awaitable[Response]) -> Response:
    """The answer that `work` makes. Nobody will take it once the client has gone, so then the work
    is given up, and its calls end. The body must have been read."""
    with ungrouped():
        async with anyio.create_task_group() as tasks:

            async def give_up() -> None:
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up)
            response = await work
            tasks.cancel_scope.cancel()
            return response
    return Response(status_code=499)


async def _body_of(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > FRAME_BYTES_MAX:
            raise TooLarge("the input is too large", maximum=FRAME_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)
