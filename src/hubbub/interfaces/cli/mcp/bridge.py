"""Messages between a client that speaks over pipes and the hub, which speaks HTTP.

What a client writes goes to the hub as it is, and what the hub answers comes back as it is. A hub
that restarts is waited for, and the session with it is made anew without the client noticing. What
may have been carried out is not sent again: such a request is answered with an error that says so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.asked import Asked
from hubbub.interfaces.cli.mcp.envelopes import Envelope, Params
from hubbub.interfaces.cli.mcp.link import Link, Session
from hubbub.interfaces.cli.mcp.listening import Listener, Print, follow, remark, resume
from hubbub.interfaces.cli.mcp.mirrors import Mirrors
from hubbub.interfaces.cli.mcp.wire import Lost, Response
from hubbub.kernel.errors import HubError, Unavailable
from hubbub.protocol.mcp import INVALID_REQUEST, PARSE_ERROR, RequestId

OPEN_MAX: Final = 256
"""Requests under way at once. A client that has more waits, and is told so in the end."""
TRIES_MAX: Final = 3
SENT_S: Final = 5.0
DRAIN_S: Final = 1.0


class Bridge:
    """One client, and one hub."""

    def __init__(self, link: Link, print: Print) -> None:
        self._link = link
        self._print = print
        self._open: dict[RequestId, Asked] = {}
        self._mirrors = Mirrors()
        self._tasks = asyncio.TaskGroup()
        self._listener = Listener(link, print, self._tasks)

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Serve until the client has said its last."""
        try:
            async with self._tasks:
                async for line in lines:
                    await self._take(line)
                await self._drain()
        finally:
            await self._link.leave()

    async def _take(self, line: bytes) -> None:
        envelope = envelopes.opened(line)
        if envelope is None:
            text = "that is no message of JSON-RPC on a line of its own"
            await self._print(envelopes.failure(None, text, code=PARSE_ERROR))
        elif envelope.asks:
            await self._ask(envelope, line)
        elif envelope.method == "notifications/cancelled":
            await self._cancel(envelopes.params_of(envelope), line)
        else:
            await self._tell(line)
            if envelope.method == "notifications/initialized":
                self._listener.begin()

    async def _drain(self) -> None:
        """What was asked may still be answered, for a moment."""
        tasks = [asked.task for asked in self._open.values() if asked.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in tasks:
            task.cancel()
        self._listener.end()

    async def _ask(self, envelope: Envelope, line: bytes) -> None:
        asked = Asked.of(envelope, line)
        await self._room()
        if asked.id in self._open or len(self._open) >= OPEN_MAX:
            text = "that id is in use" if asked.id in self._open else "too much at once"
            await self._print(envelopes.failure(asked.id, text, code=INVALID_REQUEST))
            return
        if asked.revision is None:
            self._link.past.note(envelope, asked.params, line)
        self._open[asked.id] = asked
        asked.task = self._tasks.create_task(self._answer(asked))
        # What is said next may be about this, and must not arrive first.
        with suppress(TimeoutError):
            async with asyncio.timeout(SENT_S):
                await asked.sent.wait()

    async def _room(self) -> None:
        """Wait a while for one of the others to be answered, where there are too many."""
        if len(self._open) >= OPEN_MAX:
            tasks = [asked.task for asked in self._open.values() if asked.task is not None]
            await asyncio.wait(tasks, timeout=SENT_S, return_when=asyncio.FIRST_COMPLETED)

    async def _answer(self, asked: Asked) -> None:
        try:
            answer = await self._bring(asked)
        except HubError as error:
            data = {"code": error.name, "details": error.details}
            answer = envelopes.failure(asked.id, error.message, data)
        finally:
            asked.sent.set()
            self._open.pop(asked.id, None)
        await self._print(envelopes.one_line(answer))

    async def _bring(self, asked: Asked) -> bytes:
        """Ask until the hub has heard it, in a session that it knows."""
        for _ in range(TRIES_MAX):
            session = self._link.session
            try:
                if await self._exchange(asked, session):
                    if asked.answer is not None:
                        return asked.answer
                    raise Lost("the answer broke off")
            except Lost as error:
                if asked.last_event is not None and session is not None:
                    await resume(self._link, session, asked, self._print)
                if asked.answer is not None:
                    return asked.answer
                if asked.method not in envelopes.REPEATABLE:
                    text = "the hub went away in the middle: the call may have been carried out"
                    raise Lost(text, **error.details) from error
            else:
                assert session is not None
                await self._listener.renew(session)
        raise Unavailable("the hub hears it, and does not answer", method=asked.method)

    async def _exchange(self, asked: Asked, session: Session | None) -> bool:
        """One request, and what comes of it; false where the hub has forgotten the session."""
        headers = asked.headers(session, self._mirrors)
        response = await self._link.post(asked.line, headers, asked.sent.set)
        try:
            if response.status == 404 and "Mcp-Session-Id" in headers:
                return False
            if response.streams:
                await follow(response, self._print, asked)
            else:
                asked.settle(response, await response.body())
            self._heed(asked, response)
            return True
        finally:
            response.done()

    def _heed(self, asked: Asked, response: Response) -> None:
        """Take from an answer what sending on the next requests needs."""
        if asked.answer is None:
            return
        if asked.method == "initialize" and asked.revision is None:
            self._link.agreed(response, asked.answer)
        elif asked.method == "tools/list" and asked.revision is not None:
            self._mirrors.learn(asked.answer)

    async def _tell(self, line: bytes) -> None:
        """A notification, or an answer to what the client was asked."""
        try:
            for _ in range(TRIES_MAX):
                session = self._link.session
                response = await self._link.post(line, session.headers if session else {})
                response.done()
                if response.status != 404 or session is None or session.id is None:
                    break
                await self._listener.renew(session)
        except HubError as error:
            remark(f"{error.message}: a notification is lost")

    async def _cancel(self, params: Params, line: bytes) -> None:
        id = params.requestId
        asked = self._open.get(id) if isinstance(id, str | int) else None
        # The newer revision knows a request as cancelled when nobody waits for its answer.
        if self._link.session is not None and (asked is None or asked.revision is None):
            await self._tell(line)
        if asked is not None and asked.task is not None:
            asked.task.cancel()
