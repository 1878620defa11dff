"""The connections that clients are configured for: begun with the hub, changed with their rows."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskGroup

from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import HubError, NotFound
from hubbub.kernel.events import Bus
from hubbub.services import store
from hubbub.services.configuration import AnyConfig
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import HTTP_API, MCP_SERVER, Client
from hubbub.services.secrets import Secrets
from hubbub.storage.database import Database
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.upstream import McpUpstream
from hubbub.upstreams.servers import Server
from hubbub.upstreams.upstream import Standing, Status, Upstream

log = logging.getLogger(__name__)

TYPES: Final = (MCP_SERVER, HTTP_API)
READ_RETRY_S: Final = 5.0
UNFIT_RETRY_S: Final = 60.0
"""A secret may have been missing, or have expired; that it is set tells itself."""

Make = Callable[[Client, AnyConfig], Upstream]


@dataclass(kw_only=True, eq=False)
class _Kept:
    """A client row and the connection that is kept for it."""

    client: Client
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    upstream: Upstream | None = None
    unfit: str | None = None
    since: int = field(default_factory=epoch_ms)


class Connections:
    """Every upstream of this hub."""

    def __init__(
        self, database: Database, bus: Bus, secrets: Secrets, makers: Mapping[str, Make]
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._makers = makers
        self._kept: dict[str, _Kept] = {}
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._outdated: Counter[str] = Counter()
        bus.listen(ClientChanged, lambda event: self._want(event.client_id))
        bus.listen(ClientRemoved, lambda event: self._want(event.client_id))

    async def run(self) -> None:
        """Keep all connections, until this is cancelled. Nobody waits for them."""
        async with anyio.create_task_group() as tasks:
            for client in await self._enabled():
                self._begin(client, tasks)
            while True:
                client_id = await self._wanted.get()
                await self._renewed(client_id, tasks)
                self._outdated -= Counter([client_id])

    async def _enabled(self) -> list[Client]:
        while True:
            try:
                async with self._database.reading() as tx:
                    return await store.enabled(tx, TYPES)
            except Exception:  # whatever is wrong with the database, the hub goes on
                log.exception("what to connect to could not be read")
            await anyio.sleep(READ_RETRY_S)

    def all(self) -> Sequence[Server]:
        """The MCP servers that are connected now, in the order of their names."""
        found = [
            kept.upstream.server
            for kept in self._kept.values()
            if isinstance(kept.upstream, McpUpstream) and kept.upstream.server is not None
        ]
        return sorted(found, key=lambda server: server.name)

    def standing(self, client: Client) -> Standing:
        """How the connection of a client stands."""
        kept = self._kept.get(client.id)
        changed_at = round(client.updated_at.timestamp() * 1000)
        if client.enabled and client.id in self._outdated:
            # What stands is not what is wanted any more, and about to go.
            return Standing(status="connecting", since=changed_at)
        if kept is None:
            return Standing(status="disabled", since=changed_at)
        if kept.upstream is None:
            status: Status = "connecting" if kept.unfit is None else "failed"
            return Standing(status=status, since=kept.since, error=kept.unfit)
        return kept.upstream.standing

    def logs(self, client: Client) -> Logs:
        """What happened to the connection of a client lately."""
        kept = self._kept.get(client.id)
        if kept is None or kept.upstream is None:
            return Logs()
        return kept.upstream.logs

    def _want(self, client_id: str) -> None:
        self._outdated[client_id] += 1
        self._wanted.put_nowait(client_id)

    async def _renewed(self, client_id: str, tasks: TaskGroup) -> None:
        """Connect anew as the row now says, or no more."""
        kept = self._kept.get(client_id)
        try:
            async with self._database.reading() as tx:
                client: Client | None = await store.get(tx, client_id)
        except NotFound:
            client = None
        except self._database.faults:
            log.exception("client %s could not be read", client_id)
            return
        if kept is not None:
            kept.scope.cancel()
            await kept.ended.wait()
        if client is not None and client.enabled and client.type in TYPES:
            self._begin(client, tasks)

    def _begin(self, client: Client, tasks: TaskGroup) -> None:
        kept = self._kept[client.id] = _Kept(client=client)
        tasks.start_soon(self._keep, kept)

    async def _keep(self, kept: _Kept) -> None:
        try:
            with kept.scope:
                while True:
                    await self._connected(kept)
                    await anyio.sleep(UNFIT_RETRY_S)
        finally:
            if self._kept.get(kept.client.id) is kept:
                del self._kept[kept.client.id]
            kept.ended.set()

    async def _connected(self, kept: _Kept) -> None:
        """One upstream for as long as it can be kept. What is wrong with it is nobody else's."""
        try:
            config = await self._secrets.resolved(kept.client)
            upstream = self._makers[kept.client.type](kept.client, config)
            upstream.logs.hide((await self._secrets.of(kept.client.id)).values())
            kept.upstream, kept.unfit = upstream, None
            await upstream.run()
        except HubError as error:
            kept.unfit = error.message
        except Exception:
            log.exception("the connection to %s failed", kept.client.name)
            kept.unfit = "the hub failed"
        kept.upstream, kept.since = None, epoch_ms()
