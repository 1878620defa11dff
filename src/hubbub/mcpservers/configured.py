"""Sources as they are configured: rows of clients, followed as they change."""

import asyncio
import logging
from typing import Final

import anyio

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import HubError, Invalid, NotFound
from hubbub.kernel.events import Bus
from hubbub.mcpservers.catalogues import Catalogue, OfficialRegistry
from hubbub.mcpservers.kubernetes import Kubernetes
from hubbub.mcpservers.polling import Kind, Poller
from hubbub.mcpservers.sources import Lister
from hubbub.mcpservers.toolhive import ToolHive
from hubbub.services import store
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import (
    MCP_REGISTRY,
    WORKLOAD_SOURCE,
    Client,
    McpRegistry,
    WorkloadSource,
)
from hubbub.services.secrets import Secrets
from hubbub.storage.database import Database

log = logging.getLogger(__name__)

TYPES: Final = (MCP_REGISTRY, WORKLOAD_SOURCE)
UNFIT_RETRY_S: Final = 60.0
"""A secret may have been missing, or have expired; that it is set tells itself."""


class ConfiguredSources:
    """Has the poller ask those sources that clients are configured for, and no others."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        secrets: Secrets,
        poller: Poller,
        clock: Clock,
        tools_of: Lister | None = None,
    ) -> None:
        """
        Args:
            tools_of: asks a workload for its tools; without, which it has is not known.
        """
        self._database = database
        self._secrets = secrets
        self._poller = poller
        self._clock = clock
        self._tools_of = tools_of
        self._names: dict[str, str] = {}
        self._unfit: set[str] = set()
        # By client, and the name of one that was removed: one that changes often is read once.
        self._wanted: dict[str, str | None] = {}
        self._news = asyncio.Event()
        poller.hold()
        bus.listen(ClientChanged, lambda event: self._want(event.client_id, None))
        bus.listen(ClientRemoved, lambda event: self._want(event.client_id, event.name))

    async def run(self) -> None:
        """Follow the rows for as long as this runs."""
        try:
            await self._first()
        finally:
            self._poller.release()
        while True:
            with anyio.move_on_after(UNFIT_RETRY_S if self._unfit else None):
                await self._news.wait()
            self._news.clear()
            wanted, self._wanted = self._wanted, {}
            for client_id in {**dict.fromkeys(self._unfit), **wanted}:
                await self._renew(client_id, wanted.get(client_id))

    async def _first(self) -> None:
        async with self._database.reading() as tx:
            clients = await store.enabled(tx, TYPES)
        # Registries first: workloads wait for those that there are when they begin.
        for client in sorted(clients, key=lambda each: each.type != MCP_REGISTRY):
            await self._begin(client)

    def _want(self, client_id: str, removed: str | None) -> None:
        self._wanted[client_id] = removed
        self._news.set()

    async def _renew(self, client_id: str, removed: str | None) -> None:
        """Ask as the row now says, or no more. What a client that is gone has said goes with it;
        what one said that is only switched off stays."""
        self._unfit.discard(client_id)
        name = self._names.pop(client_id, None)
        try:
            if removed is not None:
                await self._poller.forget(removed)
                return
            async with self._database.reading() as tx:
                client = await store.get(tx, client_id)
        except NotFound:
            return  # that it is gone is told too
        except Exception:
            log.exception("the source of client %s could not be changed", client_id)
            return
        if client.enabled and client.type in TYPES:
            await self._begin(client)
        elif name is not None:
            self._poller.remove(name)

    async def _begin(self, client: Client) -> None:
        try:
            await self._add(client)
        except HubError as error:
            log.warning("source %s: %s", client.name, error.message)
            self._unfit.add(client.id)
            kind: Kind = "registry" if client.type == MCP_REGISTRY else "workload"
            self._poller.unfit(client.name, kind, error.message)
        self._names[client.id] = client.name

    async def _add(self, client: Client) -> None:
        config = await self._secrets.resolved(client)
        match config:
            case McpRegistry(form="api"):
                registry = OfficialRegistry(
                    client.name, config.location, self._clock, config.headers
                )
                self._poller.add_registry(registry, config.poll_s)
            case McpRegistry():
                catalogue = Catalogue(client.name, config.location, config.headers)
                self._poller.add_registry(catalogue, config.poll_s)
            case WorkloadSource(kind="toolhive"):
                toolhive = ToolHive(client.name, config.host, config.port, self._tools_of)
                self._poller.add_workloads(toolhive, config.poll_s)
            case WorkloadSource():
                cluster = Kubernetes(
                    client.name, config.selector, config.namespace, config.context, self._tools_of
                )
                self._poller.add_workloads(cluster, config.poll_s)
            case _:
                raise Invalid(f"{client.name} is no source of servers", client=client.id)
