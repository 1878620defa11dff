"""The calls that a peer asks for over its connection: frames become calls, and answers frames."""

from collections.abc import Callable
from typing import Final

from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub.calls.model import Ask, Call, Cancel, Outcome
from hubbub.calls.offers import NotOffered
from hubbub.calls.waiting import Calls
from hubbub.kernel.errors import Busy, Conflict, HubError, Invalid
from hubbub.kernel.groups import surviving
from hubbub.kernel.limits import ID_CHARS_MAX
from hubbub.operations.context import Caller
from hubbub.protocol import codec, frames
from hubbub.protocol.codec import encode

CALLS_MAX: Final = 20_000


class PeerCalls:
    """The sink of all calls of one connection, which knows them by the names that its peer gave."""

    def __init__(
        self,
        calls: Calls,
        caller: Caller,
        *,
        tasks: TaskGroup,
        send: Callable[[bytes], None],
        quiet: Callable[[], None],
    ) -> None:
        """
        Args:
            quiet: told when the last call has ended.
        """
        self.caller = caller
        self._calls = calls
        self._router = calls.router
        self._tasks = tasks
        self._send = send
        self._quiet = quiet
        self._open: dict[str, Call] = {}

    @property
    def in_flight(self) -> bool:
        """Whether there are any."""
        return bool(self._open)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._open

    def requested(self, payload: frames.Requested) -> None:
        """Begin a call. Whatever becomes of it, the peer is told by its name.

        Raises:
            Invalid: if that name is too long to be repeated.
        """
        if len(payload.request_id) > ID_CHARS_MAX:
            raise _unreadable("requestId", f"at most {ID_CHARS_MAX} characters")
        ask = Ask(
            operation_id=payload.operation_id,
            input=payload.input,
            request_id=payload.request_id,
            parent_id=payload.parent_request_id,
            deadline_ms=payload.deadline,
            idle_timeout_ms=payload.idle_timeout,
            provider=payload.provider,
        )
        try:
            self._check(ask)
            call = self._router.open(ask, self.caller, self)
        except NotOffered as error:
            self._tasks.start_soon(surviving, self._explain, error, ask)
        except HubError as error:
            self._send(encode(codec.failed(ask.request_id, error)))
        else:
            if call.outcome is None:
                self._open[ask.request_id] = call

    def _check(self, ask: Ask) -> None:
        if ask.request_id in self._open:
            raise Conflict("a call of yours with this id is in flight", requestId=ask.request_id)
        if len(self._open) >= CALLS_MAX:
            raise Busy("too many calls in flight on one connection", retryAfterMs=100)

    async def _explain(self, error: NotOffered, ask: Ask) -> None:
        try:
            explained = await self._calls.explained(error, ask, self.caller)
        except Exception:
            self._send(encode(codec.failed(ask.request_id, error)))
            raise
        self._send(encode(codec.failed(ask.request_id, explained)))

    def aborted(self, payload: frames.CallAborted) -> None:
        """Stop one of the calls.

        Raises:
            Invalid: if it is to be stopped in a way that there is not.
        """
        try:
            mode = Cancel(payload.mode) if payload.mode else Cancel.KILLNOWAIT
        except ValueError as error:
            raise _unreadable("mode", " | ".join(Cancel)) from error
        self._router.abort(self._open[payload.request_id], mode)

    def abandon(self, *, changes: bool) -> None:
        """Stop them all; the hub's own changes only with `changes`."""
        for call in list(self._open.values()):
            if changes or not call.changes_hub:
                self._router.abort(call)

    # What becomes of them.

    def answered(self, call: Call, output: Raw) -> None:
        payload = frames.Responded(request_id=call.request_id, call_id=call.id, output=output)
        self._send(encode(frames.CallResponded(id=call.request_id, payload=payload)))

    def progressed(self, call: Call, progress: frames.Progressed) -> None:
        payload = frames.Progressed(
            request_id=call.request_id,
            call_id=call.id,
            progress=progress.progress,
            total=progress.total,
            message=progress.message,
        )
        self._send(encode(frames.CallProgressed(id=call.request_id, payload=payload)))

    def ended(self, call: Call, outcome: Outcome) -> None:
        self._open.pop(call.request_id, None)
        if outcome.output is not None:
            self.answered(call, outcome.output)
        else:
            self._send(encode(_ending(call, outcome)))
        if not self._open:
            self._quiet()


Ending = frames.CallAbort | frames.CallFailed | frames.CallCompleted


def _ending(call: Call, outcome: Outcome) -> Ending:
    request_id = call.request_id
    if outcome.status == "aborted":
        reason = outcome.reason.value if outcome.reason is not None else ""
        aborted = frames.CallAborted(request_id=request_id, call_id=call.id, reason=reason)
        return frames.CallAbort(id=request_id, payload=aborted)
    if outcome.error is not None:
        return codec.failed(request_id, outcome.error, call.id)
    completed = frames.Completed(request_id=request_id, call_id=call.id)
    return frames.CallCompleted(id=request_id, payload=completed)


def _unreadable(field: str, expected: str) -> Invalid:
    errors = [{"field": f"$.payload.{field}", "expected": expected}]
    return Invalid("the frame cannot be read", errors=errors)
