"""The sources that clients are configured for, asked for as long as their rows say so."""

import asyncio
import logging
from typing import Final

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import HubError, NotFound
from hubbub.kernel.events import Bus
from hubbub.mcpservers.catalogues import Catalogue, OfficialRegistry
from hubbub.mcpservers.kubernetes import SELECTOR, Kubernetes
from hubbub.mcpservers.polling import Poller
from hubbub.mcpservers.sources import Lister
from hubbub.mcpservers.toolhive import ToolHive
from hubbub.services import store
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import (
    MCP_REGISTRY,
    MCP_WORKLOADS,
    Client,
    McpRegistry,
    McpWorkloads,
)
from hubbub.services.secrets import Secrets
from hubbub.storage.database import Database

log = logging.getLogger(__name__)

TYPES: Final = (MCP_REGISTRY, MCP_WORKLOADS)


class Configured:
    """Keeps a poller in step with client rows. A source has the name of its client."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        secrets: Secrets,
        poller: Poller,
        clock: Clock,
        lister: Lister,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._poller = poller
        self._clock = clock
        self._lister = lister
        self._names: dict[str, str] = {}  # of sources, by the ids of their clients
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        bus.listen(ClientChanged, lambda event: self._changed.put_nowait(event.client_id))
        bus.listen(ClientRemoved, lambda event: self._changed.put_nowait(event.client_id))

    async def run(self) -> None:
        """Ask all that are configured, until this is cancelled."""
        async with self._database.reading() as tx:
            clients = await store.enabled(tx, TYPES)
        for client in clients:
            await self._begin(client)
        while True:
            await self._renew(await self._changed.get())

    async def _renew(self, client_id: str) -> None:
        try:
            async with self._database.reading() as tx:
                client: Client | None = await store.get(tx, client_id)
        except NotFound:
            client = None
        if client is not None and client.enabled and client.type in TYPES:
            await self._begin(client)
            return
        name = self._names.pop(client_id, None)
        if name is not None:
            # What a source said that is no more is not true any more.
            await self._poller.remove(name, forget=True)

    async def _begin(self, client: Client) -> None:
        try:
            config = await self._secrets.resolved(client)
            match config:
                case McpRegistry():
                    source = _registry(client.name, config, self._clock)
                    self._poller.add_registry(source, config.every_s)
                case McpWorkloads():
                    workloads = _workloads(client.name, config, self._lister)
                    self._poller.add_workloads(workloads, config.every_s)
                case _:
                    return
            self._names[client.id] = client.name
        except HubError as error:
            log.warning("source %s cannot be asked: %s", client.name, error.message)


def _registry(name: str, config: McpRegistry, clock: Clock) -> OfficialRegistry | Catalogue:
    if config.form == "api":
        return OfficialRegistry(name, config.location, clock, config.headers)
    return Catalogue(name, config.location, config.headers)


def _workloads(name: str, config: McpWorkloads, lister: Lister) -> ToolHive | Kubernetes:
    if config.kind == "toolhive":
        return ToolHive(name, config.host, config.port, lister)
    return Kubernetes(name, config.selector or SELECTOR, config.namespace, config.context, lister)
