"""A conversation with one MCP server, of either era, whatever carries it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final, Literal

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub import __version__
from hubbub.calls.model import Aside
from hubbub.kernel.errors import HubError
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.frames import NOTHING, Progressed
from hubbub.protocol.mcp import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    INTERNAL_ERROR,
    LOG_LEVEL_KEY,
    METHOD_NOT_FOUND,
    VERSION_KEY,
    RequestId,
    RpcError,
)
from hubbub.upstreams.mcp import messages
from hubbub.upstreams.mcp.headers import headers_of
from hubbub.upstreams.mcp.messages import Incoming
from hubbub.upstreams.mcp.wire import NO_HEADERS, Wire

log = logging.getLogger(__name__)

CLIENT: Final = {"name": "hubbub", "title": "Hubbub", "version": __version__}
# Everything that some caller of the hub may be able to answer. Who cannot be asked says so.
CAPABILITIES: Final = {
    "roots": {"listChanged": False},
    "sampling": {"tools": {}, "context": {}},
    "elicitation": {"form": {}, "url": {}},
}
QUESTIONS: Final = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
CANCEL_S: Final = 5.0

Era = Literal["legacy", "modern"]
Progress = Callable[[Progressed], None]
Changed = Callable[[str, Raw], None]
"""Told of notifications that concern no call: the method and its parameters."""


@dataclass(kw_only=True, eq=False)
class Exchange:
    """One request on its way."""

    aside: Aside | None = None
    progress: Progress | None = None
    asked: dict[RequestId, anyio.CancelScope] = field(default_factory=dict)
    """Questions of the server that the caller has not answered yet."""
    background: bool = False
    """Whether nobody waits for its end."""

    def can_answer(self, method: str) -> bool:
        return self.aside is not None and QUESTIONS.get(method, "") in self.aside.capabilities


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """What a server says of itself."""

    era: Era
    version: str
    capabilities: Mapping[str, Any]
    info: Mapping[str, Any]
    instructions: str | None


class Session:
    """Requests to a server, and what it says meanwhile."""

    def __init__(self, server: str, tasks: TaskGroup, changed: Changed) -> None:
        self.server = server
        self.wire: Wire
        self.greeting: Greeting
        self._tasks = tasks
        self._changed = changed
        self._ids = count(1)
        self._exchanges: dict[RequestId, Exchange] = {}

    @property
    def modern(self) -> bool:
        return self.greeting.era == "modern"

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return all(each.background for each in self._exchanges.values())

    async def request(
        self,
        method: str,
        params: Mapping[str, object],
        exchange: Exchange | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Raw:
        """Ask, and wait for the result.

        Raises:
            RpcError: the server answered with an error.
            Unavailable, ExecutionFailed, TooLarge: as `Wire.exchange` has them.
        """
        exchange = exchange or Exchange()
        id = next(self._ids)
        meta = self._meta(id, exchange)
        full = {**params, "_meta": meta} if meta else dict(params)
        message = messages.request(id, method, full)
        headers = headers or NO_HEADERS
        if self.modern and not self.wire.plain:
            more = headers_of(method, params)
            headers = {**more, **headers} if headers else more
        self._exchanges[id] = exchange
        try:
            answer = await self.wire.exchange(id, message, headers, partial(self.heard, exchange))
            return answer.result_or_raise()
        except BaseException as error:
            if isinstance(error, anyio.get_cancelled_exc_class()):
                self._cancel(id)
            raise
        finally:
            del self._exchanges[id]
            for scope in exchange.asked.values():
                scope.cancel()

    def _meta(self, id: int, exchange: Exchange) -> dict[str, object]:
        aside = exchange.aside
        meta: dict[str, object] = {} if aside is None else dict(aside.meta)
        if exchange.progress is not None:
            meta["progressToken"] = id
        if self.modern:
            meta[VERSION_KEY] = self.greeting.version
            meta[CLIENT_KEY] = CLIENT
            meta[CAPABILITIES_KEY] = {} if aside is None else aside.capabilities
            if aside is not None and aside.log_level is not None:
                meta[LOG_LEVEL_KEY] = aside.log_level
        return meta

    def _cancel(self, id: int) -> None:
        """Tell the server that nobody waits any more. Of the newer era, over HTTP, that is said by
        letting go of the response."""
        if self.wire.lost.is_set() or (self.modern and not self.wire.plain):
            return
        told = messages.notification(
            "notifications/cancelled", {"requestId": id, "reason": "nobody waits for it any more"}
        )
        self._tasks.start_soon(self._tell, told)

    async def notify(self, method: str, params: Mapping[str, object] | None = None) -> None:
        await self.wire.tell(messages.notification(method, params))

    async def _tell(self, message: bytes) -> None:
        try:
            with anyio.move_on_after(CANCEL_S):
                await self.wire.tell(message)
        except HubError as error:
            log.debug("%s was not told: %s", self.server, error.message)

    # What the server says.

    def heard(self, exchange: Exchange | None, message: Incoming) -> None:
        """A request or a notification; with `exchange`, on the way of that one's answer."""
        if message.method is None:
            return
        if message.id is not None:
            self._tasks.start_soon(self._answer, exchange, message)
            return
        match message.method:
            case "notifications/progress":
                self._progressed(message.params)
            case "notifications/cancelled":
                self._withdrawn(message.params)
            case "notifications/message" | "notifications/elicitation/complete":
                concerned = exchange or self._newest(lambda each: each.aside is not None)
                if concerned is not None and concerned.aside is not None:
                    concerned.aside.noted(message.method, message.params)
            case method:
                self._changed(method, message.params)

    def _progressed(self, params: Raw) -> None:
        told = _fields(params)
        exchange = self._exchanges.get(told.get("progressToken"))  # type: ignore[arg-type]  # None is nobody's
        progress, total = told.get("progress"), told.get("total")
        if exchange is None or exchange.progress is None or not isinstance(progress, int | float):
            return
        exchange.progress(
            Progressed(
                request_id="",
                progress=progress,
                total=total if isinstance(total, int | float) else None,
                message=str(told.get("message") or ""),
            )
        )

    def _withdrawn(self, params: Raw) -> None:
        """The server needs no answer any more to what it asked."""
        id = _fields(params).get("requestId")
        for exchange in self._exchanges.values():
            if isinstance(id, str | int) and id in exchange.asked:
                exchange.asked[id].cancel()

    async def _answer(self, exchange: Exchange | None, message: Incoming) -> None:
        """Answer what the server asks: out of the hub, or out of whoever called."""
        assert message.id is not None and message.method is not None
        try:
            reply = messages.answer(message.id, await self._answered(exchange, message))
        except RpcError as error:
            reply = messages.refusal(message.id, error)
        except HubError as error:
            reply = messages.refusal(message.id, RpcError(INTERNAL_ERROR, error.message))
        await self._tell(reply)

    async def _answered(self, exchange: Exchange | None, message: Incoming) -> object:
        method, id = message.method or "", message.id
        if method == "ping":
            return {}
        if method not in QUESTIONS:
            raise RpcError(METHOD_NOT_FOUND, f"the hub has no method {method}")
        concerned = exchange or self._newest(lambda each: each.can_answer(method))
        if concerned is None or not concerned.can_answer(method) or concerned.aside is None:
            # As a user would say who is not there.
            if method == "elicitation/create":
                return {"action": "cancel"}
            if method == "roots/list":
                return {"roots": []}
            raise RpcError(METHOD_NOT_FOUND, "whoever called cannot be asked this")
        assert id is not None
        with anyio.CancelScope() as scope:
            concerned.asked[id] = scope
            try:
                params = message.params if bytes(message.params) else Raw(b"{}")
                return await concerned.aside.asked(method, params)
            finally:
                concerned.asked.pop(id, None)
        raise RpcError(INTERNAL_ERROR, "the question was withdrawn")

    def _newest(self, fits: Callable[[Exchange], bool]) -> Exchange | None:
        """Where a server does not say which request it means: the one that began last, of those of
        one and the same account that this session serves."""
        return next((each for each in reversed(self._exchanges.values()) if fits(each)), None)


def _fields(params: Raw) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(params) if params is not NOTHING else {}
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}
