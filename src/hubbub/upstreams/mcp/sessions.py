"""The sessions with one server: made when somebody needs one, kept while they are used.

Each account has its own, unless the server is of the newer era, which has none, or is configured to
share one: what a server remembers of one caller is not shown to another.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskGroup

from hubbub.kernel.errors import Busy, ExecutionFailed, HubError
from hubbub.protocol.mcp import RpcError
from hubbub.upstreams.mcp.session import Session

SESSIONS_MAX: Final = 100
IDLE_S: Final = 600.0

Connect = Callable[[], AbstractAsyncContextManager[Session]]


@dataclass(kw_only=True, eq=False)
class _Kept:
    ready: asyncio.Future[Session]
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    users: int = 0
    left_at: float = 0.0

    @property
    def usable(self) -> bool:
        if not self.ready.done():
            return True
        return self.ready.exception() is None and not self.ready.result().wire.lost.is_set()


class _Held:
    """A session while somebody uses it. Every call does, so this is no generator."""

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept

    async def __aenter__(self) -> Session:
        ready = self._kept.ready
        self._kept.users += 1
        try:
            return ready.result() if ready.done() else await asyncio.shield(ready)
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._kept.users -= 1
        self._kept.left_at = asyncio.get_running_loop().time()


class Sessions:
    """Sessions by whom they belong to."""

    def __init__(self, server: str, connect: Connect, tasks: TaskGroup) -> None:
        self._server = server
        self._connect = connect
        self._tasks = tasks
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def held(self, key: str) -> "_Held":
        """The session of `key`, which is not closed meanwhile.

        Raises:
            HubError, RpcError: there is none, and none can be made.
        """
        kept = self._kept.get(key)
        if kept is None or not kept.usable:
            kept = self._begun(key)
        return _Held(kept)

    def _begun(self, key: str) -> _Kept:
        self._make_room()
        kept = self._kept[key] = _Kept(ready=asyncio.get_running_loop().create_future())
        self._tasks.start_soon(self._keep, key, kept)
        return kept

    def _make_room(self) -> None:
        if len(self._kept) < SESSIONS_MAX:
            return
        idle = [key for key, kept in self._kept.items() if not kept.users]
        if not idle:
            raise Busy(
                f"{self._server} has as many sessions as it may",
                server=self._server,
                maximum=SESSIONS_MAX,
                retryAfterMs=1000,
            )
        oldest = min(idle, key=lambda key: self._kept[key].left_at)
        self._kept.pop(oldest).scope.cancel()

    async def _keep(self, key: str, kept: _Kept) -> None:
        """One session, from its beginning to its end."""
        try:
            with kept.scope:
                async with self._connect() as session:
                    kept.ready.set_result(session)
                    await self._used(session, kept)
        except (HubError, RpcError, OSError) as error:
            if not kept.ready.done():
                kept.ready.set_exception(error)
        finally:
            if self._kept.get(key) is kept:
                del self._kept[key]
            if not kept.ready.done():
                kept.ready.set_exception(ExecutionFailed(f"{self._server} is being left"))
            kept.ready.exception()  # it may be that nobody waited for it

    async def _used(self, session: Session, kept: _Kept) -> None:
        """Wait until the session is lost, or nobody has used it for long."""
        loop = asyncio.get_running_loop()
        left_s = IDLE_S
        while left_s > 0:
            with anyio.move_on_after(left_s):
                await session.wire.lost.wait()
                return
            left_s = IDLE_S if kept.users else kept.left_at + IDLE_S - loop.time()
