"""From how a server is configured to a session with it."""

import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

import anyio

from hubbub.kernel.errors import HubError, TimedOut
from hubbub.kernel.groups import ungrouped
from hubbub.protocol.mcp import RpcError
from hubbub.services.model import McpServer
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.greeting import Known, greeted
from hubbub.upstreams.mcp.session import Changed, Exchange, Session
from hubbub.upstreams.mcp.stdio import stdio
from hubbub.upstreams.mcp.wire import Heard, Wire
from hubbub.upstreams.oauth.authorization import Authorization

log = logging.getLogger(__name__)

RELISTEN_S: Final = 5.0
LISTS: Final = ("tools", "prompts", "resources")


@asynccontextmanager
async def connected(
    server: str,
    config: McpServer,
    changed: Changed,
    logs: Logs,
    known: Known,
    authorization: Authorization | None,
) -> AsyncIterator[Session]:
    """A session with a server that has been greeted, until the block is left.

    Raises:
        TimedOut: it took longer to greet than it may.
        RpcError, HubError: as `greeted` has them.
    """
    with ungrouped():
        async with anyio.create_task_group() as tasks:
            session = Session(server, tasks, changed)
            heard = partial(session.heard, None)
            async with _wire(server, config, heard, logs, authorization) as wire:
                session.wire = wire
                try:
                    with anyio.fail_after(config.connect_timeout_s):
                        session.greeting = await greeted(session, config, known)
                except TimeoutError:
                    raise TimedOut(
                        f"{server} did not greet in time",
                        server=server,
                        timeoutS=config.connect_timeout_s,
                    ) from None
                if session.modern:
                    tasks.start_soon(_listen, session)
                else:
                    tasks.start_soon(wire.listen)
                try:
                    yield session
                finally:
                    # Before the wire goes, so that nothing is sent over what is gone.
                    tasks.cancel_scope.cancel()


def _wire(
    server: str,
    config: McpServer,
    heard: Heard,
    logs: Logs,
    authorization: Authorization | None,
) -> AbstractAsyncContextManager[Wire]:
    if config.transport == "stdio":
        return stdio(server, config, heard, logs)
    # What dials over HTTP takes a quarter of a second to load, and a hub need not wait for it.
    name = "http" if config.transport == "streamable-http" else "sse"
    module = importlib.import_module(f"hubbub.upstreams.mcp.{name}")
    dial = getattr(module, name)
    wire: AbstractAsyncContextManager[Wire] = dial(server, config, heard, authorization)
    return wire


async def _listen(session: Session) -> None:
    """Have a server of the newer era tell of changes to its lists."""
    capabilities = session.greeting.capabilities
    wanted: dict[str, Any] = {
        f"{kind}ListChanged": True
        for kind in LISTS
        if isinstance(capabilities.get(kind), dict) and capabilities[kind].get("listChanged")
    }
    while wanted and not session.wire.lost.is_set():
        try:
            await session.request(
                "subscriptions/listen", {"notifications": wanted}, Exchange(background=True)
            )
        except RpcError as error:
            log.debug("%s tells of no changes: %s", session.server, error.message)
            return
        except HubError as error:
            log.debug("%s stopped telling of changes: %s", session.server, error.message)
        await anyio.sleep(RELISTEN_S)
