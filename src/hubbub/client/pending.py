"""Calls that were sent to the hub, from the request to their only outcome."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub.kernel.errors import Aborted, HubError, Invalid
from hubbub.protocol import envelope, frames
from hubbub.protocol.envelope import Envelope

log = logging.getLogger(__name__)

WAITING_BYTES_MAX = 8 * 1024 * 1024
"""Answers of one subscription that wait for whoever iterates; see `PendingSubscription`."""

ANSWER_BYTES = 256  # what a waiting answer costs beside its own bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer as it came, and under which id the hub recorded the call."""

    call_id: str
    envelope: Envelope

    def data(self) -> Any:
        """What the operation returned: JSON, as Python's own types."""
        return msgspec.json.decode(self.envelope.data)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a call has come; `total` is None where the provider does not know it."""

    progress: float
    total: float | None
    message: str


Watcher = Callable[[Progress], None]


class PendingCall:
    """A call that is answered once. Its first outcome counts, the others are nothing."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.call_id = ""
        self._watcher = watcher
        self._outcome: asyncio.Future[Answer | HubError] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def finished(self) -> bool:
        return self._outcome.done()

    def answered(self, payload: frames.Responded) -> None:
        try:
            opened = envelope.opened(payload.output)
        except Invalid as error:
            self.finish(error)
        else:
            self._settle(Answer(call_id=payload.call_id, envelope=opened))

    def progressed(self, payload: frames.Progressed) -> None:
        if self._watcher is None or self.finished:
            return
        progress = Progress(progress=payload.progress, total=payload.total, message=payload.message)
        try:
            self._watcher(progress)
        except Exception:
            # The watcher is not ours; its bug must not stop the reader of everybody's answers.
            log.exception("a watcher of progress failed")

    def finish(self, error: HubError | None) -> None:
        """End it: with `error`, or because the hub says that nothing more will come."""
        self._settle(error or Aborted("the call ended without an answer", reason="no_answer"))

    def _settle(self, outcome: Answer | HubError) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def answer(self) -> Answer:
        # Shielded, so that one who stops waiting does not end it for the others.
        outcome = await asyncio.shield(self._outcome)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome


class PendingSubscription:
    """A call that is answered many times.

    Answers that nobody has taken yet wait here, `WAITING_BYTES_MAX` at most. One that does not fit
    ends the subscription with ABORTED, reason `slow_consumer`, after those that wait. The reader
    never stops for it: that would stall every other call of the connection, and the pings too.
    """

    def __init__(self) -> None:
        self.call_id = ""
        self._waiting: deque[Answer] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._error: HubError | None = None

    @property
    def finished(self) -> bool:
        return self._ended

    def answered(self, payload: frames.Responded) -> None:
        if self._ended:
            return
        try:
            answer = Answer(call_id=payload.call_id, envelope=envelope.opened(payload.output))
        except Invalid as error:
            return self.finish(error)
        cost = _cost(answer)
        # One that is bigger than the whole room is let in alone; frames have a bound of their own.
        if self._waiting and self._waiting_bytes + cost > WAITING_BYTES_MAX:
            return self.finish(_slow(self._waiting_bytes))
        self._waiting.append(answer)
        self._waiting_bytes += cost
        self._changed.set()

    def progressed(self, payload: frames.Progressed) -> None:
        """Nobody watches a subscription but by its answers."""

    def finish(self, error: HubError | None) -> None:
        if not self._ended:
            self._ended, self._error = True, error
            self._changed.set()

    async def next(self) -> Answer | None:
        """The next answer, None after the last.

        Raises:
            HubError: the subscription ended with it.
        """
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._waiting:
            answer = self._waiting.popleft()
            self._waiting_bytes -= _cost(answer)
            return answer
        if self._error is not None:
            raise self._error
        return None


def _cost(answer: Answer) -> int:
    return len(answer.envelope.data) + len(answer.envelope.meta) + ANSWER_BYTES


def _slow(waiting_bytes: int) -> Aborted:
    return Aborted(
        "answers came faster than they were taken",
        reason="slow_consumer",
        waitingBytes=waiting_bytes,
    )


Pending = PendingCall | PendingSubscription
