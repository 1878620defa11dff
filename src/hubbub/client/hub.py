"""A program's connection to a hub."""

import asyncio
import logging
from functools import partial
from types import TracebackType
from typing import Self

from hubbub.client import websocket
from hubbub.client.backoff import RECONNECT, RETRY, Backoff
from hubbub.client.caller import Caller
from hubbub.client.connection import Connection
from hubbub.client.dialing import Dial, greeted, stay_connected
from hubbub.client.presence import Presence
from hubbub.kernel.errors import Aborted, HubError, OperationNotFound
from hubbub.protocol import codec, frames

log = logging.getLogger(__name__)


class Hub(Caller):
    """Calls operations of the hub at `url`, with an API key.

        async with Hub("http://127.0.0.1:4820", key=key) as hub:
            answer = await hub.call("task.create", {"title": "Design"})

    When the connection is lost, calls in flight end with `Aborted`, reason `connection_lost`, and
    another is made for later ones, which wait for it.
    """

    def __init__(
        self, url: str, *, key: str, reconnect: Backoff = RECONNECT, retry: Backoff = RETRY
    ) -> None:
        self._present: Presence[Connection] = Presence()
        super().__init__(self._present.get, retry=retry)
        self._dial: Dial = partial(websocket.dial, url, key)
        self._reconnect = reconnect
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unauthenticated: the hub does not accept the key.
            Unavailable: it does not answer.
        """
        first = await greeted(await self._dial())
        # Owned by this object, which ends it in __aexit__. A task group would do it too, and would
        # wrap whatever the body raises into an ExceptionGroup.
        self._task = asyncio.create_task(self._keep(first))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection; calls in flight end with `Aborted`."""
        assert self._task is not None
        self._present.fail(Aborted("this hub was left", reason="closed"))
        self._task.cancel()
        await asyncio.wait((self._task,))
        if not self._task.cancelled() and (bug := self._task.exception()):
            raise bug

    async def _keep(self, first: Connection) -> None:
        try:
            await stay_connected(
                self._dial,
                self._use,
                backoff=self._reconnect,
                leaving=asyncio.Event(),  # never set: a caller leaves by being cancelled
                first=first,
            )
        except HubError as error:
            self._present.fail(error)

    async def _use(self, connection: Connection) -> None:
        self._present.set(connection)
        try:
            async for frame in connection.incoming():
                match frame:
                    case frames.CallRequested(payload=payload):
                        refusal = OperationNotFound("a caller offers no operations")
                        await connection.send(codec.failed(payload.request_id, refusal))
                    case frames.HubDrain():
                        # New calls wait for the next connection, those in flight end on this one.
                        self._present.clear()
                        connection.spawn(_leave(connection))
                    case frames.CallAbort():
                        log.debug("the hub aborted an unknown call: %s", frame.id)
        finally:
            self._present.clear()


async def _leave(connection: Connection) -> None:
    await connection.settled()
    await connection.close()
