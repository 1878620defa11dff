"""A call as something to wait for: the sink of HTTP, of nested calls and of the command line."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Raw

from hubbub.calls.model import Ask, Call, Explain, Outcome
from hubbub.calls.offers import NotOffered
from hubbub.calls.router import Router
from hubbub.kernel.errors import HubError, TooLarge
from hubbub.operations.context import Caller
from hubbub.protocol.frames import Progressed

WAITING_BYTES_MAX: Final = 16 * 1024 * 1024
PROGRESS_BYTES: Final = 256

Answer = Raw | Progressed


class Waiting:
    """Keeps answers until they are taken; ends a call whose answers nobody takes."""

    def __init__(self, router: Router, *, wants_progress: bool = False) -> None:
        self._router = router
        self._wants_progress = wants_progress
        self._answers: deque[Answer] = deque()
        self._bytes = 0
        self._overflowed = False
        self._outcome: Outcome | None = None
        self._changed = asyncio.Event()

    def answered(self, call: Call, output: Raw) -> None:
        self._keep(call, output)

    def progressed(self, call: Call, progress: Progressed) -> None:
        if self._wants_progress:
            self._keep(call, progress)

    def ended(self, call: Call, outcome: Outcome) -> None:
        self._outcome = outcome
        self._changed.set()

    def _keep(self, call: Call, answer: Answer) -> None:
        self._bytes += _size(answer)
        if self._bytes > WAITING_BYTES_MAX:
            self._overflowed = True
            self._answers.clear()
            self._router.abort(call)
            return
        self._answers.append(answer)
        self._changed.set()

    async def answers(self) -> AsyncIterator[Answer]:
        """Every answer in order.

        Raises:
            HubError: what the call ended with, after the answers that came before it.
        """
        while True:
            while self._answers:
                answer = self._answers.popleft()
                self._bytes -= _size(answer)
                yield answer
            if self._outcome is not None:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._overflowed:
            raise TooLarge("answers came faster than they were taken", maximum=WAITING_BYTES_MAX)
        if self._outcome.error is not None:
            raise self._outcome.error
        if self._outcome.output is not None:
            yield self._outcome.output


def _size(answer: Answer) -> int:
    """About what it takes to keep it."""
    if isinstance(answer, Raw):
        return memoryview(answer).nbytes
    return PROGRESS_BYTES + len(answer.message)


class Calls:
    """The router, with the catalogue asked about operations that nobody offers now."""

    def __init__(self, router: Router, explain: Explain) -> None:
        self.router = router
        self._explain = explain

    async def explained(self, error: NotOffered, ask: Ask, caller: Caller) -> HubError:
        """Why it is not offered: not now, or not at all."""
        return await self._explain(error, ask.operation_id, caller)

    @asynccontextmanager
    async def opened(
        self, ask: Ask, caller: Caller, *, wants_progress: bool = False
    ) -> AsyncIterator[tuple[Call, AsyncIterator[Answer]]]:
        """A call and its answers. Leaving before its end aborts it.

        Raises:
            HubError: if it could not begin.
        """
        sink = Waiting(self.router, wants_progress=wants_progress)
        try:
            call = self.router.open(ask, caller, sink)
        except NotOffered as error:
            raise await self.explained(error, ask, caller) from error
        try:
            yield call, sink.answers()
        finally:
            self.router.abort(call)
