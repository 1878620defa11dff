"""One request of a client over HTTP, and all that it is answered with.

An answer that comes alone is a JSON response with a status of its own. As soon as there is anything
to say before it, or it lets itself be waited for, the response becomes a stream of events, of which
the answer is the last.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hubbub.interfaces.streams import EVENTS, event

JSON: Final = "application/json"
KEEP_ALIVE_S: Final = 15.0
WATCHED_AFTER_S: Final = 0.05
"""Most requests are answered sooner than anybody loses patience, without a task that looks out."""
KEEP_ALIVE: Final = b": alive\n\n"
WAITING_BYTES_MAX: Final = 8 * 1024 * 1024
"""What may wait for a client that does not read; notifications beyond it are lost."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to a request: a message, and how HTTP is to carry it."""

    body: bytes | None
    """None where a stream ends without one."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Exchange(Response):
    """The response to one request, while `work` makes its answer."""

    def __init__(
        self,
        work: Callable[["Exchange"], Awaitable[Reply]],
        headers: Mapping[str, str],
        *,
        streams: bool,
    ) -> None:
        self.request_headers = headers
        self.streams = streams
        """Whether the client takes events."""
        self.left = False
        """Whether the client has gone."""
        self.on_left: Callable[[], None] | None = None
        self.headers_first: dict[str, str] = {}
        self._work = work
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._over = False
        self._pump: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._send: Send

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        loop = asyncio.get_running_loop()
        watch = loop.call_later(WATCHED_AFTER_S, self._begin_watching, receive)
        alive = loop.call_later(KEEP_ALIVE_S, self.begin)
        try:
            reply = await self._work(self)
            alive.cancel()
            await self._answer(reply)
        finally:
            alive.cancel()
            watch.cancel()
            if self._watching is not None:
                self._watching.cancel()
            if self._pump is not None:
                self._pump.cancel()

    def say(self, message: bytes) -> bool:
        """Tell the client something before the answer; whether it could be told. Never waits."""
        if not self.streams or self.left or self._over:
            return False
        if self._bytes + len(message) > WAITING_BYTES_MAX:
            return False
        self._put(message)
        self.begin()
        return True

    def begin(self) -> None:
        """Make a stream of the response, if that may be."""
        if self._pump is None and self.streams and not self.left:
            self._pump = asyncio.create_task(self._stream())
        self._changed.set()

    async def gone(self) -> None:
        """Wait until the client leaves, or `leave` is said."""
        while not self.left:
            self._changed.clear()
            await self._changed.wait()

    def leave(self) -> None:
        """Nobody takes the answer any more."""
        if self.left:
            return
        self.left = True
        self._changed.set()
        if self.on_left is not None:
            self.on_left()

    def _begin_watching(self, receive: Receive) -> None:
        self._watching = asyncio.create_task(self._watch(receive))

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave()

    async def _answer(self, reply: Reply) -> None:
        if self._pump is None:
            body = reply.body or b""
            headers = {**reply.headers, "content-length": str(len(body))}
            if body:
                headers["content-type"] = JSON
            await self._start(reply.status, headers)
            await self._send({"type": "http.response.body", "body": body})
            return
        if reply.body is not None:
            self._put(reply.body)
        self._over = True
        self._changed.set()
        await self._pump

    def _put(self, message: bytes) -> None:
        self._bytes += len(message)
        self._events.append(event("message", message))

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _stream(self) -> None:
        first = {"Content-Type": EVENTS, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        await self._start(200, {**first, **self.headers_first})
        while True:
            while self._events:
                body = b"".join(self._events)
                self._events.clear()
                self._bytes = 0
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
            if self._over:
                break
            await self._wait()
        await self._send({"type": "http.response.body", "body": b""})

    async def _wait(self) -> None:
        """Until there is something to send: a sign of life, where nothing else comes."""
        self._changed.clear()
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self._changed.wait()
        except TimeoutError:
            self._events.append(KEEP_ALIVE)
