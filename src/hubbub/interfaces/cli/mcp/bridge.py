"""Messages between a client that speaks over pipes and the hub, which speaks HTTP.

What a client writes goes to the hub as it is, and what the hub answers comes back as it is. A hub
that restarts is waited for, and the session with it is made anew without the client noticing. What
may have been carried out is not sent again: such a request is answered with an error that says so.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.envelopes import Envelope, Params
from hubbub.interfaces.cli.mcp.events import Events
from hubbub.interfaces.cli.mcp.link import EVENTS, Link, Session
from hubbub.interfaces.cli.mcp.mirrors import Mirrors
from hubbub.interfaces.cli.mcp.wire import MESSAGE_BYTES_MAX, Lost, Response
from hubbub.kernel.errors import HubError, Unavailable
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.mcp import INVALID_REQUEST, PARSE_ERROR, RequestId

OPEN_MAX: Final = 256
"""Requests under way at once. A client that has more is told so."""
TRIES_MAX: Final = 3
SENT_S: Final = 5.0
DRAIN_S: Final = 1.0
PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 30.0

Print = Callable[[bytes], Awaitable[None]]


@dataclass(kw_only=True, eq=False)
class Asked:
    """A request that is not answered yet."""

    id: RequestId
    method: str
    params: Params
    line: bytes
    revision: str | None
    """Named by a request of the newer kind, which needs no session."""
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    answered: bool = False
    last_event: str | None = None

    def headers(self, session: Session | None, mirrors: Mirrors) -> dict[str, str]:
        if self.revision is not None:
            own = envelopes.headers_of(self.method, self.params, self.revision)
            if self.method == "tools/call":
                own |= mirrors.headers(self.params.name, self.params.arguments)
            return own
        return {} if session is None or self.method == "initialize" else session.headers


class Bridge:
    """One client, and one hub."""

    def __init__(self, link: Link, print: Print) -> None:
        self._link = link
        self._print = print
        self._open: dict[RequestId, Asked] = {}
        self._listening: asyncio.Task[None] | None = None
        self._mirrors = Mirrors()
        self._tasks = asyncio.TaskGroup()

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
                self._listen()

    async def _drain(self) -> None:
        """What was asked may still be answered, for a moment."""
        tasks = [asked.task for asked in self._open.values() if asked.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in (*tasks, self._listening):
            if task is not None:
                task.cancel()

    # Requests of the client.

    async def _ask(self, envelope: Envelope, line: bytes) -> None:
        assert envelope.id is not None
        assert envelope.method is not None
        if envelope.id in self._open or len(self._open) >= OPEN_MAX:
            text = "that id is in use" if envelope.id in self._open else "too much at once"
            await self._print(envelopes.failure(envelope.id, text, code=INVALID_REQUEST))
            return
        params = envelopes.params_of(envelope)
        asked = Asked(
            id=envelope.id,
            method=envelope.method,
            params=params,
            line=line,
            revision=envelopes.revision_in(params),
        )
        if asked.revision is None:
            self._link.past.note(envelope, params, line)
        self._open[asked.id] = asked
        asked.task = self._tasks.create_task(self._answer(asked))
        # What is said next may be about this, and must not arrive first.
        with suppress(TimeoutError):
            async with asyncio.timeout(SENT_S):
                await asked.sent.wait()

    async def _answer(self, asked: Asked) -> None:
        try:
            await self._bring(asked)
            if not asked.answered:
                raise Lost("the answer broke off, and the call may have been carried out")
        except HubError as error:
            if not asked.answered:
                data = {"code": error.name, "details": error.details}
                await self._print(envelopes.failure(asked.id, error.message, data))
        finally:
            asked.sent.set()
            self._open.pop(asked.id, None)

    async def _bring(self, asked: Asked) -> None:
        """Ask until the hub has heard it, in a session that it knows."""
        for _ in range(TRIES_MAX):
            session = self._link.session
            try:
                if await self._exchange(asked, session):
                    return
            except Lost as error:
                if asked.last_event is not None and await self._resumed(asked, session):
                    return
                if asked.answered or asked.method not in envelopes.REPEATABLE:
                    text = "the hub went away in the middle: the call may have been carried out"
                    raise Lost(text, **error.details) from error
            else:
                assert session is not None
                await self._renew(session)
        raise Unavailable("the hub hears it, and does not answer", method=asked.method)

    async def _exchange(self, asked: Asked, session: Session | None) -> bool:
        """One request and its answer; false where the hub has forgotten the session."""
        headers = asked.headers(session, self._mirrors)
        response = await self._link.post(asked.line, headers, asked.sent.set)
        try:
            if response.status == 404 and "Mcp-Session-Id" in headers:
                return False
            if response.kind == EVENTS and response.status < 400:
                await self._follow(response, asked)
            else:
                answer = _answer(asked, response, await response.body())
                await self._answered(asked, answer, response)
            return True
        finally:
            response.done()

    async def _follow(self, response: Response, asked: Asked | None) -> int | None:
        """Pass on what comes as events, up to the answer; when to come back, in milliseconds."""
        events = Events(MESSAGE_BYTES_MAX)
        retry_ms = None
        async for piece in response.pieces:
            for event in events.fed(piece):
                retry_ms = event.retry_ms if event.retry_ms is not None else retry_ms
                if asked is not None and event.id:
                    asked.last_event = event.id
                if not event.data:
                    continue
                if asked is not None and _is_answer(event.data, asked.id):
                    await self._answered(asked, event.data, response)
                    return retry_ms
                await self._print(envelopes.one_line(event.data))
        return retry_ms

    async def _answered(self, asked: Asked, answer: bytes, response: Response) -> None:
        asked.answered = True
        if asked.method == "initialize" and asked.revision is None:
            self._link.agreed(response, answer)
        elif asked.method == "tools/list" and asked.revision is not None:
            self._mirrors.learn(answer)
        await self._print(envelopes.one_line(answer))

    async def _resumed(self, asked: Asked, session: Session | None) -> bool:
        """Whether the rest of an answer that broke off was still to be had."""
        if session is None:
            return False
        for _ in range(TRIES_MAX):
            try:
                response = await self._link.stream(session, asked.last_event)
                try:
                    if response.status != 200 or response.kind != EVENTS:
                        return False
                    retry_ms = await self._follow(response, asked)
                finally:
                    response.done()
                if asked.answered:
                    return True
                await asyncio.sleep(min(PAUSE_S_MAX, (retry_ms or 0) / 1000))
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
        return False

    # What the client says without asking, and answers to what it was asked.

    async def _tell(self, line: bytes) -> None:
        try:
            for _ in range(TRIES_MAX):
                session = self._link.session
                response = await self._link.post(line, session.headers if session else {})
                response.done()
                if response.status != 404 or session is None or session.id is None:
                    break
                await self._renew(session)
        except HubError as error:
            _remark(f"{error.message}: a notification is lost")

    async def _cancel(self, params: Params, line: bytes) -> None:
        id = params.requestId
        asked = self._open.get(id) if isinstance(id, str | int) else None
        if asked is not None:
            # The newer revision knows a request as cancelled when nobody waits for its answer.
            asked.answered = True
            if asked.revision is None:
                await self._tell(line)
            if asked.task is not None:
                asked.task.cancel()
        elif self._link.session is not None:
            await self._tell(line)

    # What the hub says of itself, and asks.

    async def _renew(self, session: Session) -> None:
        await self._link.renew(session)
        self._listen()

    def _listen(self) -> None:
        session = self._link.session
        if session is None or session.id is None:
            return
        if self._listening is not None:
            self._listening.cancel()
        self._listening = self._tasks.create_task(self._listen_to(session))

    async def _listen_to(self, session: Session) -> None:
        pause_s = PAUSE_S
        while self._link.session is session:
            try:
                response = await self._link.stream(session)
                try:
                    if response.status == 404:
                        break
                    if response.status != 200 or response.kind != EVENTS:
                        return  # it has nothing to say, or not to us
                    retry_ms = await self._follow(response, None)
                finally:
                    response.done()
                pause_s = PAUSE_S if retry_ms is None else min(PAUSE_S_MAX, retry_ms / 1000)
            except HubError:
                pause_s = min(PAUSE_S_MAX, pause_s * 2)
            await asyncio.sleep(pause_s)
        try:
            await self._link.renew(session)
        except HubError as error:
            _remark(error.message)
            return
        # In a task of its own: this one ends.
        self._listening = None
        self._listen()


def _is_answer(message: bytes, id: RequestId) -> bool:
    envelope = envelopes.opened(message)
    return envelope is not None and envelope.answers and envelope.id == id


def _answer(asked: Asked, response: Response, body: bytes) -> bytes:
    """The answer that a response comes to: its body, if that is one."""
    envelope = envelopes.opened(body)
    if envelope is not None and envelope.answers and envelope.id == asked.id:
        return body
    message, data = _refusal(response, body)
    return envelopes.failure(asked.id, message, data)


class _Error(msgspec.Struct):
    message: str
    code: object = None
    details: object = None


class _Refusal(msgspec.Struct):
    error: _Error


def _refusal(response: Response, body: bytes) -> tuple[str, dict[str, object]]:
    """Why the hub turned a message away, in words and as data."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except UNREADABLE:
        return f"the hub answered with status {response.status}", {"status": response.status}
    told = {"code": error.code, "details": error.details, "status": response.status}
    hint = ": run `hubbub login`" if response.status == 401 else ""
    return error.message + hint, told


def _remark(text: str) -> None:
    """For whoever looks at what a server says besides: clients keep it in a log."""
    sys.stderr.write(f"hubbub: {text}\n")
    sys.stderr.flush()
