"""Hearing of changes to resources, of servers of either era."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

import anyio
import msgspec
from msgspec import Raw

from hubbub.kernel.errors import HubError
from hubbub.kernel.groups import ungrouped
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.mcp import RpcError
from hubbub.upstreams.mcp.session import Exchange, Session
from hubbub.upstreams.mcp.wire import lost

UPDATED: Final = "notifications/resources/updated"
LEAVE_S: Final = 5.0


class Subscriptions:
    """Who wants to hear of which resource of one server."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[[Raw], None]]] = {}
        self._subscribed: WeakKeyDictionary[Session, Counter[str]] = WeakKeyDictionary()

    def told(self, params: Raw) -> str | None:
        """A server says that a resource has changed; the answer is which."""
        try:
            uri = msgspec.json.decode(params).get("uri")
        except (*UNREADABLE, AttributeError):
            return None
        message = Raw(encode({"method": UPDATED, "params": params}))
        # A resource within the one that was named has changed as well.
        for wanted, listeners in self._listeners.items():
            if isinstance(uri, str) and (uri == wanted or uri.startswith(wanted.rstrip("/") + "/")):
                for listener in tuple(listeners):
                    listener(message)
        return uri if isinstance(uri, str) else None

    async def follow(self, session: Session, uri: str, on: Callable[[Raw], None]) -> None:
        """Tell `on` of every change to a resource, until this is cancelled.

        Raises:
            RpcError: the server does not tell of it.
            ExecutionFailed: the server left.
        """
        self._listeners.setdefault(uri, []).append(on)
        try:
            if session.modern:
                with ungrouped():
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(_listen, session, uri)
                        await session.wire.lost.wait()
                        raise lost(session.server)
            await self._subscribe(session, uri)
            try:
                await session.wire.lost.wait()
                raise lost(session.server)
            finally:
                await self._unsubscribe(session, uri)
        finally:
            self._listeners[uri].remove(on)
            if not self._listeners[uri]:
                del self._listeners[uri]

    async def _subscribe(self, session: Session, uri: str) -> None:
        counts = self._subscribed.setdefault(session, Counter())
        counts[uri] += 1
        if counts[uri] == 1:
            await session.request("resources/subscribe", {"uri": uri})

    async def _unsubscribe(self, session: Session, uri: str) -> None:
        counts = self._subscribed.get(session, Counter())
        counts[uri] -= 1
        if counts[uri] > 0 or session.wire.lost.is_set():
            return
        del counts[uri]
        with anyio.move_on_after(LEAVE_S, shield=True), suppress(HubError, RpcError):
            await session.request("resources/unsubscribe", {"uri": uri})


async def _listen(session: Session, uri: str) -> None:
    wanted = {"notifications": {"resourceSubscriptions": [uri]}}
    await session.request("subscriptions/listen", wanted, Exchange(background=True))
    raise lost(session.server)
