"""A call that an MCP client asked for, as its provider sees the caller: whichever request waits for
it now, what it is told meanwhile, and what it is asked."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.calls.model import Call, Outcome
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp import rpc
from hubbub.interfaces.mcp.exchange import Exchange
from hubbub.interfaces.mcp.sessions import Session, question
from hubbub.kernel.errors import TooLarge
from hubbub.protocol.frames import Progressed
from hubbub.protocol.mcp import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RequestId,
    RpcError,
)

ANSWER_S: Final = 600.0
"""How long a person may think."""
ANSWERS_BYTES_MAX: Final = 16 * 1024 * 1024
LEVELS: Final = (
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency",
)  # fmt: skip
ASKS: Final = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask of a client, and what the client declares to be asked it."""


class Question(msgspec.Struct, frozen=True):
    """What a server wants to know, as a result that requires input says it."""

    method: str
    params: Raw


class Relay:
    """The sink of a call and what stands aside of it."""

    def __init__(
        self,
        entrance: Entrance,
        exchange: Exchange,
        *,
        meta: Mapping[str, object],
        capabilities: Mapping[str, object],
        log_level: str | None,
        resumed: Mapping[str, Raw],
        takes_input_required: bool,
        session: Session | None,
        progress_token: RequestId | None,
    ) -> None:
        self.meta = meta
        self.capabilities = capabilities
        self.log_level = log_level
        self.resumed = resumed
        self.takes_input_required = takes_input_required
        self.call: Call
        self.answers: list[Raw] = []
        """Of a subscription, or the one of another call."""
        self.outcome: Outcome | None = None
        self.questions: dict[str, Question] = {}
        """What is to be known before it goes on."""
        self._entrance = entrance
        self._exchange: Exchange | None = exchange
        self._session = session
        self._progress_token = progress_token
        self._waiting: dict[str, asyncio.Future[Raw]] = {}
        self._asked = 0
        self._bytes = 0
        self._changed = asyncio.Event()

    # What its provider answers.

    def answered(self, call: Call, output: Raw) -> None:
        self._bytes += memoryview(output).nbytes
        if self._bytes > ANSWERS_BYTES_MAX:
            self._entrance.end(call)
        else:
            self.answers.append(output)

    def progressed(self, call: Call, progress: Progressed) -> None:
        if self._exchange is not None and self._progress_token is not None:
            self._exchange.say(rpc.progress(self._progress_token, progress))

    def ended(self, call: Call, outcome: Outcome) -> None:
        self.outcome = outcome
        if outcome.output is not None:
            self.answers.append(outcome.output)
        self._changed.set()

    async def settled(self) -> None:
        """Wait until it has ended, or something must be known first."""
        while self.outcome is None and not self.questions:
            self._changed.clear()
            await self._changed.wait()

    def result(self) -> list[Raw]:
        """The envelopes that it was answered with.

        Raises:
            HubError: what it ended with instead.
        """
        if self._bytes > ANSWERS_BYTES_MAX:
            raise TooLarge("its answers are too large", maximum=ANSWERS_BYTES_MAX)
        if self.outcome is not None and self.outcome.error is not None:
            raise self.outcome.error
        return self.answers

    # What stands aside of it.

    def noted(self, method: str, params: Raw) -> None:
        """Pass on a notification that belongs to the call. That a list has changed is told by the
        hub itself, to all who want to know."""
        if self._exchange is None:
            return
        if method == "notifications/message":
            if self._loud_enough(params):
                self._exchange.say(rpc.noting(method, params))
        elif method == "notifications/elicitation/complete" and self._session is not None:
            self._exchange.say(rpc.noting(method, params))

    async def asked(self, method: str, params: Raw) -> Raw:
        """Ask the client, and wait for what it answers.

        Raises:
            RpcError: what it answered instead of a result, or that it cannot be asked.
        """
        if not can_answer(self.capabilities, method, params):
            raise RpcError(METHOD_NOT_FOUND, f"the client cannot be asked {method}")
        self._entrance.extend(self.call, ANSWER_S)
        ask = self._asked_by_result if self.takes_input_required else self._asked_by_request
        return await ask(method, params)

    async def _asked_by_result(self, method: str, params: Raw) -> Raw:
        self._asked += 1
        key = f"input_{self._asked}"
        waiting: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiting
        self.questions[key] = Question(method, params)
        self._changed.set()
        try:
            return await _in_time(waiting)
        finally:
            self._waiting.pop(key, None)
            self.questions.pop(key, None)

    async def _asked_by_request(self, method: str, params: Raw) -> Raw:
        return await by_request(self._session, self._exchange, method, params)

    # The request that waits for it.

    def detach(self) -> dict[str, Question]:
        """The request that waited is answered with these questions; another will come."""
        self._exchange = None
        return dict(self.questions)

    def attach(
        self,
        exchange: Exchange | None,
        progress_token: RequestId | None,
        replies: Mapping[str, Raw],
    ) -> None:
        """A request has come with answers to what was asked.

        Raises:
            RpcError: if one of them is no answer.
        """
        self._exchange = exchange
        self._progress_token = progress_token
        for key, reply in replies.items():
            waiting = self._waiting.get(key)
            if waiting is not None and not waiting.done():
                if not bytes(reply).lstrip().startswith(b"{"):
                    raise RpcError(INVALID_PARAMS, f"the response to {key} is not an object")
                self.questions.pop(key, None)
                waiting.set_result(reply)

    def _loud_enough(self, params: Raw) -> bool:
        if self.log_level is None:
            return False
        level = _field(params, "level")
        if level not in LEVELS or self.log_level not in LEVELS:
            return True
        return LEVELS.index(level) >= LEVELS.index(self.log_level)


async def by_request(
    session: Session | None, exchange: Exchange | None, method: str, params: Raw
) -> Raw:
    """Ask a client that shook hands, on the stream of its own request.

    Raises:
        RpcError: what it answered instead of a result, or that it cannot be asked.
    """
    if session is None or exchange is None:
        raise RpcError(INTERNAL_ERROR, "without a session the client cannot be asked anything")
    id, waiting = question(session)
    try:
        if not exchange.say(rpc.asking(id, method, params)):
            raise RpcError(INTERNAL_ERROR, "the client takes no stream, so it cannot be asked")
        return await _in_time(waiting)
    finally:
        if session.questions is not None:
            session.questions.pop(id, None)


async def _in_time(waiting: asyncio.Future[Raw]) -> Raw:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await waiting
    except TimeoutError:
        raise RpcError(INTERNAL_ERROR, "the client did not answer in time") from None


def can_answer(capabilities: Mapping[str, object], method: str, params: Raw) -> bool:
    """Whether a client that declared these can be asked this."""
    found: Any = capabilities.get(ASKS.get(method, ""))
    if not isinstance(found, dict):
        return False
    if method == "elicitation/create" and b'"url"' in bytes(params):
        return _field(params, "mode") != "url" or "url" in found
    return True


def _field(params: Raw, name: str) -> Any:
    found = msgspec.json.decode(params)
    return found.get(name) if isinstance(found, dict) else None
