"""What the hub says to a client without being asked, for as long as there is a session."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.asked import Asked
from hubbub.interfaces.cli.mcp.link import Link, Session
from hubbub.interfaces.cli.mcp.wire import Response
from hubbub.kernel.errors import HubError, Unavailable

TRIES_MAX: Final = 3
PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 30.0

Print = Callable[[bytes], Awaitable[None]]


class Listener:
    """Hears the hub, and goes on hearing it when it was away."""

    def __init__(self, link: Link, print: Print, tasks: asyncio.TaskGroup) -> None:
        self._link = link
        self._print = print
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Listen in the session that there is now."""
        session = self._link.session
        if session is None or session.id is None:
            return
        self.end()
        self._task = self._tasks.create_task(self._listen(session))

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def renew(self, session: Session) -> None:
        """Have another session in place of one that the hub has forgotten, and listen in it.

        Raises:
            Unavailable: the hub opens none.
        """
        await self._link.renew(session)
        self.begin()

    async def _listen(self, session: Session) -> None:
        pause_s = PAUSE_S
        while self._link.session is session:
            try:
                response = await self._link.stream(session)
                try:
                    if response.status == 404:
                        break
                    if response.status != 200 or not response.streams:
                        return  # it has nothing to say, or not to us
                    retry_ms = await follow(response, self._print)
                finally:
                    response.done()
                pause_s = PAUSE_S if retry_ms is None else min(PAUSE_S_MAX, retry_ms / 1000)
            except HubError:
                pause_s = min(PAUSE_S_MAX, pause_s * 2)
            await asyncio.sleep(pause_s)
        self._task = None  # another begins, and this one ends by itself
        try:
            await self.renew(session)
        except HubError as error:
            remark(error.message)


async def follow(response: Response, print: Print, asked: Asked | None = None) -> int | None:
    """Pass on what comes as events, up to the answer to what was asked. That one is passed on by
    whoever waits for it.

    Returns when to come back, in milliseconds, if the stream says so.
    """
    async for event in response.events():
        if asked is not None and event.id:
            asked.last_event = event.id
        if asked is not None and event.data and asked.is_answer(event.data):
            asked.answer = event.data
            break
        if event.data:
            await print(envelopes.one_line(event.data))
    return response.stream.retry_ms


async def resume(link: Link, session: Session, asked: Asked, print: Print) -> None:
    """Take up an answer that broke off, if the hub has kept the rest of it."""
    for _ in range(TRIES_MAX):
        try:
            response = await link.stream(session, asked.last_event)
            try:
                if response.status != 200 or not response.streams:
                    return
                retry_ms = await follow(response, print, asked)
            finally:
                response.done()
            if asked.answer is not None:
                return
            await asyncio.sleep(min(PAUSE_S_MAX, (retry_ms or 0) / 1000))
        except Unavailable:
            await asyncio.sleep(PAUSE_S)


def remark(text: str) -> None:
    """For whoever looks at what a server says besides: clients keep it in a log."""
    sys.stderr.write(f"hubbub: {text}\n")
    sys.stderr.flush()
