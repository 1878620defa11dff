"""What an ingestion does to servers that run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hubbub.kernel.errors import Conflict
from hubbub.mcpservers import registry_store, tool_store, workload_store
from hubbub.mcpservers.events import ServersRemoved
from hubbub.mcpservers.matching import Identity, Normaliser
from hubbub.mcpservers.model import RegistryServer, WorkloadServer
from hubbub.mcpservers.snapshots import DESCRIPTION_CHARS_MAX, WorkloadEntry
from hubbub.mcpservers.steps import (
    Judged,
    Recontext,
    Vectors,
    judged,
    recontext,
    settle,
    tell_workloads,
    upsert,
)
from hubbub.mcpservers.texts import own_description
from hubbub.storage.transaction import Transaction, WriteTransaction


@dataclass(frozen=True, kw_only=True)
class PutWorkload:
    """Add a workload, or bring it in step, with its link judged."""

    source: str
    entry: WorkloadEntry
    hash: str
    there: WorkloadServer | None
    registry: RegistryServer | None
    tools: Judged | None
    renamed: Recontext | None
    """The tools that are known already, under another name, where the source does not say which
    tools there are."""

    @property
    def needs(self) -> Mapping[str, str]:
        if self.tools is not None:
            return self.tools.needs
        return self.renamed.needs if self.renamed else {}

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        values: workload_store.Changes = {
            "name": self.entry.name,
            "url": self._url,
            "package": self.entry.identity.package,
            "remote": self.entry.identity.remote,
            "transport": self.entry.transport,
            "reported_status": self.entry.status,
            "registry_server_id": self.registry.id if self.registry else None,
            "registry_server_name": self.registry.name if self.registry else None,
            "group": self.entry.group,
            "source": self.source,
            "content_hash": self.hash,
            "description": await self._description(tx),
        }
        workload = self.there
        if workload is None:
            new: workload_store.Changes = {**values, "status": self.entry.status}
            workload = await workload_store.create(tx, self.entry.workload_name, now, **new)
            # It is told of before its tools: who follows knows whose they are.
            await tell_workloads(tx, [workload])
        if self.tools is not None and self.entry.tools is not None:
            await upsert(tx, "workload", workload.id, self.entry.tools, self.tools, vectors, now)
            workload = await settle(tx, workload, vectors, self.tools.needs, values, now)
        elif self.renamed is not None:
            workload = await self.renamed.apply(tx, vectors, now, **values)
        else:
            workload = await settle(tx, workload, vectors, (), values, now)
        await tell_workloads(tx, [workload])

    @property
    def _url(self) -> str | None:
        identity = self.entry.identity
        return identity.url if identity.remote else self.entry.url

    async def _description(self, tx: Transaction) -> str:
        """Its own, which it has also while it is linked, and needs once it is not."""
        if self.entry.description:
            return self.entry.description[:DESCRIPTION_CHARS_MAX]
        if self.entry.tools is not None:
            names = [tool.name for tool in self.entry.tools]
        elif self.there is not None:
            known = await tool_store.known(tx, "workload", [self.there.id])
            names = [tool.name for tool in known[self.there.id]]
        else:
            names = []
        return own_description(self.entry.name, names)


async def put_workload(
    tx: Transaction,
    source: str,
    entry: WorkloadEntry,
    hash: str,
    there: WorkloadServer | None,
    registries: Mapping[str, RegistryServer],
    alike: Normaliser,
    model: str,
) -> PutWorkload:
    """What it takes to bring a workload in step with what its source says.

    Its link is judged when it is new, and when its URL or package is another; tools that come and
    go never touch it, and nor does a registry entry that was added later.

    Args:
        registries: those that are known by exactly what workloads are known by.

    Raises:
        Conflict: if several registry servers match; it names them.
    """
    registry: RegistryServer | None = None
    if there is None or _known_by(there.identity) != _known_by(entry.identity):
        registry = registries.get(entry.identity.text)
        if registry is None or registry.remote is not entry.identity.remote:
            registry = await matched(tx, entry.identity, alike)
    elif there.registry_server_id is not None:
        registry = await registry_store.get(tx, there.registry_server_id)
    name = registry.name if registry else entry.name
    tools, renamed = None, None
    if entry.tools is not None:
        known = (await tool_store.known(tx, "workload", [there.id]))[there.id] if there else []
        tools = judged(name, entry.tools, known, model)
    elif there is not None:
        renamed = await recontext(tx, there, name, model)
    return PutWorkload(
        source=source,
        entry=entry,
        hash=hash,
        there=there,
        registry=registry,
        tools=tools,
        renamed=renamed,
    )


async def matched(tx: Transaction, identity: Identity, alike: Normaliser) -> RegistryServer | None:
    """The registry server that a workload is made from.

    Raises:
        Conflict: if several could be; it names them.
    """
    found = await registry_store.find_matching(tx, identity, alike)
    if len(found) > 1:
        names = [server.name for server in found]
        raise Conflict(
            f"several registry servers match: {', '.join(names)}",
            servers=names,
            ids=[server.id for server in found],
            identity=identity.text,
        )
    return found[0] if found else None


@dataclass(frozen=True, kw_only=True)
class LinkWorkload:
    """Link a workload to another registry server, or to none."""

    registry: RegistryServer | None
    renamed: Recontext

    @property
    def needs(self) -> Mapping[str, str]:
        return self.renamed.needs

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        registry = self.registry
        workload = await self.renamed.apply(
            tx,
            vectors,
            now,
            registry_server_id=registry.id if registry else None,
            registry_server_name=registry.name if registry else None,
        )
        await tell_workloads(tx, [workload])


async def link_workload(
    tx: Transaction, workload: WorkloadServer, alike: Normaliser, model: str
) -> LinkWorkload | None:
    """What it takes to judge the link of a workload again; None if it stays.

    Raises:
        Conflict: if several registry servers match; it names them.
    """
    registry = await matched(tx, workload.identity, alike)
    if workload.registry_server_id == (registry.id if registry else None):
        return None
    name = registry.name if registry else workload.name
    return LinkWorkload(registry=registry, renamed=await recontext(tx, workload, name, model))


@dataclass(frozen=True, kw_only=True)
class MendWorkload:
    """Embed what could not be embedded before."""

    missing: Recontext

    @property
    def needs(self) -> Mapping[str, str]:
        return self.missing.needs

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        await tell_workloads(tx, [await self.missing.apply(tx, vectors, now)])


@dataclass(frozen=True, kw_only=True)
class RemoveWorkload:
    """Delete a workload, and nothing on the other side."""

    workload: WorkloadServer
    needs: Mapping[str, str]

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        await workload_store.remove(tx, self.workload.id)
        tx.publish(ServersRemoved(side="workload", ids=(self.workload.id,)))


def _known_by(identity: Identity) -> tuple[bool, str | None]:
    return identity.remote, identity.url if identity.remote else identity.package
