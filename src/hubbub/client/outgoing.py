"""The calls of a connection that wait for an answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hubbub.client.pending import Pending, PendingSubscription
from hubbub.kernel.errors import Aborted, HubError, TimedOut, from_wire
from hubbub.kernel.limits import TOMBSTONES_MAX
from hubbub.protocol import codec, frames

Tell = Callable[[frames.CallAborted], None]
"""Have the hub end a call, without waiting for it."""


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    pending: Pending
    timer: asyncio.TimerHandle | None


class Outgoing:
    """Takes the hub's frames to the calls that they are for, and ends each call once."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._waiting: dict[str, _Waiting] = {}
        self._told: OrderedDict[str, None] = OrderedDict()
        self._settled = asyncio.Event()
        self._settled.set()

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def add(self, request_id: str, pending: Pending, timeout_s: float | None) -> None:
        """From now on `pending` is told what comes of the call."""
        timer = None
        if timeout_s is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(timeout_s, self._expire, request_id, timeout_s)
        self._waiting[request_id] = _Waiting(pending=pending, timer=timer)
        self._settled.clear()

    async def settled(self) -> None:
        """Wait until no call waits for an answer."""
        await self._settled.wait()

    def finish(self, request_id: str, error: HubError | None) -> None:
        """End a call, once: free its timer and its place, and tell who waits."""
        if pending := self.forget(request_id):
            pending.finish(error)

    def finish_all(self, error: Callable[[], HubError]) -> None:
        for request_id in tuple(self._waiting):
            self.finish(request_id, error())

    def forget(self, request_id: str) -> Pending | None:
        """Take a call out without telling anyone."""
        waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return None
        if waiting.timer is not None:
            waiting.timer.cancel()
        if not self._waiting:
            self._settled.set()
        return waiting.pending

    def end(self, request_id: str, reason: str = "cancelled_by_caller") -> None:
        """Have the hub end a call that nobody here waits for."""
        self._told[request_id] = None
        if len(self._told) > TOMBSTONES_MAX:
            self._told.popitem(last=False)
        self._tell(frames.CallAborted(request_id=request_id, reason=reason))

    def settle(self, frame: frames.CallFrame) -> bool:
        """Take a frame where it belongs; False if it is not about a call of ours."""
        match frame:
            case frames.CallResponded(payload=payload):
                self._answered(payload)
            case frames.CallProgressed(payload=payload):
                if pending := self._pending(payload.request_id, payload.call_id):
                    pending.progressed(payload)
            case frames.CallCompleted(payload=payload):
                self._ended(payload.request_id, payload.call_id, None)
            case frames.CallFailed(payload=payload):
                details = codec.details_of(payload.details)
                error = from_wire(payload.code, payload.message, details)
                self._ended(payload.request_id, payload.call_id, error)
            case frames.CallAbort(payload=payload) if payload.request_id in self:
                aborted = Aborted("the call was aborted", reason=payload.reason or "unknown")
                self._ended(payload.request_id, payload.call_id, aborted)
            case frames.CallRequested() | frames.CallAbort():
                return False
        return True

    def _answered(self, payload: frames.Responded) -> None:
        pending = self._pending(payload.request_id, payload.call_id)
        if pending is None:
            return self._late(payload.request_id)
        pending.answered(payload)
        if pending.finished:
            self.forget(payload.request_id)
            if isinstance(pending, PendingSubscription):
                # It ended on our side: too slow, or an answer that is none.
                self.end(payload.request_id)

    def _late(self, request_id: str) -> None:
        # Either it crossed our abort, or someone called a subscription and has the one answer that
        # they wanted. The hub is told once that the rest has no taker.
        if request_id not in self._told:
            self.end(request_id)

    def _ended(self, request_id: str, call_id: str, error: HubError | None) -> None:
        self._pending(request_id, call_id)
        self.finish(request_id, error)

    def _pending(self, request_id: str, call_id: str) -> Pending | None:
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return None
        waiting.pending.call_id = call_id or waiting.pending.call_id
        return waiting.pending

    def _expire(self, request_id: str, timeout_s: float) -> None:
        self.finish(request_id, TimedOut("no answer came in time", timeoutS=timeout_s))
        self.end(request_id, reason="timeout")
