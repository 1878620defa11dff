"""Answering the calls that a hub sends over one connection."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec

from hubbub.client.connection import Connection
from hubbub.client.context import CallContext
from hubbub.client.offers import Manner, Offer
from hubbub.client.threads import Slots, Threads
from hubbub.client.transport import Closed
from hubbub.kernel.errors import (
    ExecutionFailed,
    HubError,
    OperationNotFound,
    TooLarge,
    Unavailable,
    from_wire,
)
from hubbub.protocol import codec, envelope, frames

log = logging.getLogger(__name__)

BUSY_MS = 100  # what a caller who finds no slot is asked to wait


@dataclass(kw_only=True)
class _Running:
    """A call between its request and its answer."""

    offer: Offer
    context: CallContext
    input: msgspec.Raw
    task: asyncio.Task[None] | None = None
    started: bool = False
    """A task that is cancelled before its first step never runs, and would answer nothing."""
    answered: bool = False
    reason: str | None = None
    """Why the hub aborted it; None while it did not."""


class Serving:
    """The calls that run now. Each is answered once, whatever its function does."""

    def __init__(
        self,
        connection: Connection,
        offers: Mapping[str, Offer],
        slots: Slots,
        threads: Threads,
    ) -> None:
        self._connection = connection
        self._offers = offers
        self._slots = slots
        self._threads = threads
        self._running: dict[str, _Running] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    def drain(self) -> None:
        """Start nothing more."""
        self._draining = True

    async def idle(self) -> None:
        """Wait until every call is answered."""
        await self._idle.wait()

    def forsake(self) -> None:
        """The connection ends, and will cancel them; nobody waits for their answers."""
        for running in self._running.values():
            running.context.cancel()

    async def take(self, requested: frames.Requested) -> None:
        """Start a call, or say that it was not started.

        The refusal is sent before this returns, so a hub that asks faster than it reads waits.
        """
        if requested.request_id in self._running:
            log.warning("the hub sent call %s twice", requested.request_id)
            return
        offer = self._offers.get(requested.operation_id)
        if offer is None:
            refusal: HubError = OperationNotFound(
                "the spoke does not offer it", operation=requested.operation_id
            )
        elif self._draining:
            refusal = Unavailable("the spoke is leaving", reason="draining")
        elif not self._slots.take():
            refusal = Unavailable(
                "the spoke is at its limit", reason="concurrency", retryAfterMs=BUSY_MS
            )
        else:
            return self._start(offer, requested)
        await self._send(codec.failed(requested.request_id, refusal))

    def abort(self, aborted: frames.CallAborted) -> None:
        """Cancel a call. One that is not running was answered already: nothing to do."""
        running = self._running.get(aborted.request_id)
        if running is not None:
            _cancel(running, aborted.reason or "cancelled_by_caller")

    def abort_all(self, reason: str) -> None:
        for running in tuple(self._running.values()):
            _cancel(running, reason)

    def _start(self, offer: Offer, requested: frames.Requested) -> None:
        id = requested.request_id
        context = CallContext(requested, self._connection)
        running = _Running(offer=offer, context=context, input=requested.input)
        self._running[id] = running
        self._idle.clear()
        running.task = self._connection.spawn(self._answer(id, running))
        running.task.add_done_callback(lambda _: self._over(id))

    def _over(self, id: str) -> None:
        self._slots.free()
        del self._running[id]
        if not self._running:
            self._idle.set()

    async def _answer(self, id: str, running: _Running) -> None:
        running.started = True
        try:
            final = await self._outcome(id, running)
        except Closed:
            return
        running.answered = True
        try:
            await self._send(final)
        except TooLarge as error:
            await self._send(codec.failed(id, error))

    async def _outcome(self, id: str, running: _Running) -> frames.Frame:
        """The last frame of a call, after all others were sent."""
        try:
            frame = await self._carried_out(id, running) if running.reason is None else None
        except asyncio.CancelledError:
            if running.reason is not None:
                # It has done its work; what the task still awaits is the sending of its answer.
                _this_task().uncancel()
                frame = None
            elif _this_task().cancelling():
                raise  # the connection ends; there is nobody to answer
            else:
                frame = _failure(id, RuntimeError("what the function waited for was cancelled"))
        except Closed:
            raise
        except SystemExit as error:
            # It would end the loop, and every other call with it.
            frame = _failure(id, RuntimeError(f"the function raised {error!r}"))
        except Exception as error:
            frame = _failure(id, error)
        if frame is None or running.reason is not None:
            # Also when the function shrugged its cancellation off: the hub was promised an end.
            payload = frames.CallAborted(request_id=id, reason=running.reason or "")
            return frames.CallAbort(id=id, payload=payload)
        return frame

    async def _carried_out(self, id: str, running: _Running) -> frames.Frame:
        offer = running.offer
        arguments = offer.arguments(running.input, running.context)
        match offer.manner:
            case Manner.AWAITED:
                return _responded(id, offer, await offer.function(**arguments))
            case Manner.IN_THREAD:
                result = await self._threads.run(offer.function, **arguments)
                return _responded(id, offer, result)
            case Manner.ITERATED:
                return await self._streamed(id, offer, offer.function(**arguments))
            case Manner.IN_THREAD_ITERATED:
                items = self._threads.each(offer.function(**arguments))
                return await self._streamed(id, offer, items)
            case _:
                assert_never(offer.manner)

    async def _streamed(
        self, id: str, offer: Offer, items: AsyncGenerator[Any, None]
    ) -> frames.Frame:
        async with aclosing(items):
            async for item in items:
                await self._connection.send(_responded(id, offer, item))
        return frames.CallCompleted(id=id, payload=frames.Completed(request_id=id))

    async def _send(self, frame: frames.Frame) -> None:
        try:
            await self._connection.send(frame)
        except Closed:
            # The hub has told the caller already that we are gone.
            log.debug("not answered, the connection is closed: %s", frame.id)


def _cancel(running: _Running, reason: str) -> None:
    if running.answered or running.reason is not None:
        return
    running.reason = reason
    running.context.cancel()
    if running.started and running.task is not None:
        running.task.cancel()


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _responded(id: str, offer: Offer, data: object) -> frames.CallResponded:
    output = msgspec.Raw(envelope.local(offer.spec.id, data))
    return frames.CallResponded(id=id, payload=frames.Responded(request_id=id, output=output))


def _failure(id: str, error: Exception) -> frames.CallFailed:
    if not isinstance(error, HubError):
        log.error("call %s failed", id, exc_info=error)
        error = ExecutionFailed(str(error) or type(error).__name__)
    if isinstance(error, Unavailable):
        # From a spoke it says that this call was not started, and so may be sent elsewhere. This
        # one was started, and what was not is another that it made.
        error = ExecutionFailed(error.message, **{**error.details, "cause": error.name})
    try:
        return codec.failed(id, error)
    except (TypeError, ValueError) as unfit:
        log.error("the details of call %s's error are not JSON", id, exc_info=unfit)
        return codec.failed(id, from_wire(error.name, error.message))
