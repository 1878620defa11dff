"""One connection to a hub, for calls in both directions.

Its owner iterates `incoming()`, which is the only reader: answers to our own calls are settled
there, and what remains (calls that the hub sends, aborts of those, the hub's word that it drains)
is handed to the owner.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from itertools import count
from types import TracebackType
from typing import Any, Self

from hubbub.client.outgoing import Outgoing
from hubbub.client.pending import Pending
from hubbub.client.transport import Closed, Transport
from hubbub.kernel.errors import Aborted, Conflict, Invalid, TooLarge, Unavailable, from_wire
from hubbub.protocol import codec, frames
from hubbub.protocol.closing import GOING_AWAY

log = logging.getLogger(__name__)

HELLO_S = 10
LEAVE_S = 5  # how long cancelled functions may take to clean up before they are left behind

FromHub = frames.CallRequested | frames.CallAbort | frames.HubDrain


class Connection:
    """Sends frames, knows which calls wait for an answer, and owns the tasks that serve it."""

    def __init__(self, transport: Transport, hello: frames.Hello) -> None:
        self.hello = hello
        self.retry_after_ms = 0
        """What the hub asked for when it drained."""
        self._transport = transport
        self._outgoing = Outgoing(self._tell)
        self._ids = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(cls, transport: Transport) -> Self:
        """The connection that a hub greets over `transport`.

        Raises:
            Closed: the hub closed it instead.
            Unavailable: no greeting came.
            Conflict: the hub speaks another version of the protocol.
        """
        return cls(transport, await _greeting(transport))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._outgoing.finish_all(_lost)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=LEAVE_S)
        finally:
            await self.close()

    async def close(self, code: int = GOING_AWAY) -> None:
        await self._transport.close(code)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` for as long as the connection lasts."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the connection failed", exc_info=error)

    async def send(self, frame: frames.Frame) -> None:
        """Send one frame, waiting while the hub does not keep up.

        Raises:
            TooLarge: the hub would close the connection over it; nothing was sent.
            Closed: it may or may not have arrived.
        """
        data = codec.encode(frame)
        if len(data) > self.hello.frame_bytes_max:
            raise TooLarge(
                "the message is larger than the hub takes",
                bytes=len(data),
                bytesMax=self.hello.frame_bytes_max,
            )
        await self._transport.send(data)

    def new_id(self) -> str:
        """Unique among the calls of this connection, which is all that the hub asks."""
        return str(next(self._ids))

    async def request(
        self, requested: frames.Requested, pending: Pending, timeout_s: float | None = None
    ) -> None:
        """Send a call; from now on `pending` is told what comes of it.

        Raises:
            Unavailable: the connection is closed; nothing was sent.
            TooLarge: nothing was sent.
            Aborted: the connection was lost meanwhile.
        """
        if not self._transport.open:
            raise Unavailable("the connection to the hub is closed")
        request_id = requested.request_id
        self._outgoing.add(request_id, pending, timeout_s)
        try:
            await self.send(frames.CallRequested(id=request_id, payload=requested))
        except Closed as closed:
            self._outgoing.finish(request_id, _lost())
            raise _lost() from closed
        except asyncio.CancelledError:
            self.drop(request_id)
            raise
        except Exception:
            # Too large, or no text that could be sent: nothing was.
            self._outgoing.forget(request_id)
            raise

    async def abort(self, request_id: str, mode: str) -> None:
        """Ask the hub to end a call; how it ended then comes as its outcome."""
        if request_id in self._outgoing:
            payload = frames.CallAborted(
                request_id=request_id, mode=mode, reason="cancelled_by_caller"
            )
            await self._try_to_send(frames.CallAbort(id=request_id, payload=payload))

    def drop(self, request_id: str) -> None:
        """Nobody waits for this call any more: forget it, and have the hub end it."""
        if self._outgoing.forget(request_id):
            self._outgoing.end(request_id)

    async def settled(self) -> None:
        """Wait until no call of ours waits for an answer."""
        await self._outgoing.settled()

    async def incoming(self) -> AsyncIterator[FromHub]:
        """What the hub sends, less the answers to our own calls.

        Raises:
            Closed: at the end, always.
        """
        while True:
            try:
                frame = codec.decode_any_frame(await self._transport.receive())
            except Invalid as error:
                # A newer hub may say more than we understand; its connection is good all the same.
                log.warning("ignored a frame of the hub: %s", error.details)
                continue
            match frame:
                case frames.HubHello():
                    log.warning("the hub greeted twice")
                case frames.HubComplaint(payload=payload):
                    self._complained(frame.id, payload)
                case frames.HubDrain(payload=payload):
                    self.retry_after_ms = payload.retry_after_ms
                    yield frame
                case frames.CallRequested() | frames.CallAbort():
                    if not self._outgoing.settle(frame):
                        yield frame
                case _:
                    self._outgoing.settle(frame)

    def _complained(self, request_id: str, payload: frames.Complaint) -> None:
        log.warning("the hub did not understand a frame: %s %s", payload.code, payload.message)
        details = codec.details_of(payload.details)
        self._outgoing.finish(request_id, from_wire(payload.code, payload.message, details))

    def _tell(self, payload: frames.CallAborted) -> None:
        self.spawn(self._try_to_send(frames.CallAbort(id=payload.request_id, payload=payload)))

    async def _try_to_send(self, frame: frames.Frame) -> None:
        try:
            await self.send(frame)
        except Closed:
            # Whoever waits for something learns from the reader that the connection is lost.
            log.debug("not sent, the connection is closed: %s", frame.id)


def _lost() -> Aborted:
    return Aborted("the connection to the hub was lost", reason="connection_lost")


async def _greeting(transport: Transport) -> frames.Hello:
    try:
        async with asyncio.timeout(HELLO_S):
            frame = codec.decode_any_frame(await transport.receive())
    except (TimeoutError, Invalid) as error:
        raise Unavailable("what answers there did not greet as a hub does") from error
    if not isinstance(frame, frames.HubHello):
        raise Unavailable("what answers there did not greet as a hub does")
    if frame.payload.protocol != frames.PROTOCOL_VERSION:
        raise Conflict(
            "the hub speaks another version of the protocol",
            hub=frame.payload.protocol,
            ours=frames.PROTOCOL_VERSION,
        )
    return frame.payload
