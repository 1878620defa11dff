"""What an ingestion does to servers that can be had, and to the workloads linked to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from hubbub.mcpservers import registry_store, tool_store, workload_store
from hubbub.mcpservers.events import RegistryServersPut, ServersRemoved, ToolsPut
from hubbub.mcpservers.model import RegistryServer
from hubbub.mcpservers.snapshots import DESCRIPTION_CHARS_MAX, RegistryEntry
from hubbub.mcpservers.steps import (
    Judged,
    Recontext,
    Vectors,
    judged,
    recontext,
    tell_workloads,
    upsert,
)
from hubbub.mcpservers.texts import embedding_key, server_text, text_of, title_of, tool_text
from hubbub.storage.transaction import Transaction, WriteTransaction


@dataclass(frozen=True, kw_only=True)
class PutServer:
    """Add a server, or bring it in step."""

    source: str
    entry: RegistryEntry
    hash: str
    there: RegistryServer | None
    key: str
    text: str
    tools: Judged | None
    linked: Sequence[Recontext]
    """Workloads whose tools are embedded under its name, if that has changed."""

    @property
    def needs(self) -> Mapping[str, str]:
        needs: dict[str, str] = {}
        if self.there is None or self.there.embedding_key != self.key:
            needs[self.key] = self.text
        for each in self.linked:
            needs |= each.needs
        return {**needs, **(self.tools.needs if self.tools else {})}

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        server = await self._write(tx, vectors, now)
        tx.publish(RegistryServersPut(servers=(server,)))
        if self.tools is not None and self.entry.tools is not None:
            await upsert(tx, "registry", server.id, self.entry.tools, self.tools, vectors, now)
        if self.there is None:
            return
        for each in self.linked:
            await each.apply(tx, vectors, now, registry_server_name=server.name)
        if _inherited(self.there) != _inherited(server):
            await tell_workloads(tx, await workload_store.linked_to(tx, [server.id]))

    async def _write(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> RegistryServer:
        entry = self.entry
        own = {self.key} | set(self.tools.needs if self.tools else ())
        made = vectors.made.get(self.key)
        values: registry_store.Changes = {
            "name": entry.name,
            "transport": entry.transport,
            "description": (entry.description or "")[:DESCRIPTION_CHARS_MAX] or None,
            "group": entry.group,
            "source": self.source,
            "definition": _raw(entry.definition),
            # Without it the next time is as the first.
            "content_hash": None if vectors.fault(own & set(self.needs)) else self.hash,
        }
        if not entry.identity.remote:
            values["url"] = entry.url
        if made is not None:
            values |= {"server_embedding": made, "embedding_key": self.key}
        if self.there is None:
            return await registry_store.create(tx, entry.identity, now, **values)
        if self.key in vectors.failed and self.key in self.needs:
            values["embedding_key"] = None
        return await registry_store.change(tx, self.there.id, now, **values)


async def put_server(
    tx: Transaction,
    source: str,
    entry: RegistryEntry,
    hash: str,
    there: RegistryServer | None,
    model: str,
) -> PutServer:
    """What it takes to bring a server in step with what its source says."""
    text = server_text(
        entry.name, entry.description, text_of((entry.definition or {}).get("title"))
    )
    tools = None
    if entry.tools is not None:
        known = (await tool_store.known(tx, "registry", [there.id]))[there.id] if there else []
        tools = judged(entry.name, entry.tools, known, model)
    linked: list[Recontext] = []
    if there is not None and there.name != entry.name:
        linked = [
            await recontext(tx, workload, entry.name, model)
            for workload in await workload_store.linked_to(tx, [there.id])
        ]
    return PutServer(
        source=source,
        entry=entry,
        hash=hash,
        there=there,
        key=embedding_key(model, text),
        text=text,
        tools=tools,
        linked=linked,
    )


@dataclass(frozen=True, kw_only=True)
class RemoveServer:
    """Delete a server. Its workloads stand alone from then on, in the same transaction."""

    server: RegistryServer
    linked: Sequence[Recontext]

    @property
    def needs(self) -> Mapping[str, str]:
        return {key: text for each in self.linked for key, text in each.needs.items()}

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        alone = [
            await each.apply(tx, vectors, now, registry_server_id=None, registry_server_name=None)
            for each in self.linked
        ]
        await registry_store.remove(tx, self.server.id)
        tx.publish(ServersRemoved(side="registry", ids=(self.server.id,)))
        await tell_workloads(tx, alone)


async def remove_server(tx: Transaction, server: RegistryServer, model: str) -> RemoveServer:
    """What it takes to delete a server."""
    linked = [
        await recontext(tx, workload, workload.name, model)
        for workload in await workload_store.linked_to(tx, [server.id])
    ]
    return RemoveServer(server=server, linked=linked)


@dataclass(frozen=True, kw_only=True)
class MendServer:
    """Embed what of a server could not be embedded before."""

    server: RegistryServer
    own: Mapping[str, str]
    """Of the server itself, its text by its key; empty if it has an embedding."""
    keys: Mapping[str, str]
    """Of its tools, by their ids."""
    needs: Mapping[str, str]

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        for key in self.own:
            if key in vectors.made:
                server = await registry_store.change(
                    tx,
                    self.server.id,
                    now,
                    server_embedding=vectors.made[key],
                    embedding_key=key,
                )
                tx.publish(RegistryServersPut(servers=(server,)))
                await tell_workloads(tx, await workload_store.linked_to(tx, [server.id]))
        made = [
            (id, vectors.made[key], key) for id, key in self.keys.items() if key in vectors.made
        ]
        put = await tool_store.re_embed(tx, "registry", made, now)
        if put:
            tx.publish(ToolsPut(side="registry", tools=put))


async def mend_server(tx: Transaction, server: RegistryServer, model: str) -> MendServer:
    """What it takes to embed what of a server could not be embedded before."""
    own: dict[str, str] = {}
    if server.embedding_key is None:
        text = server_text(server.name, server.description, title_of(server.definition))
        own[embedding_key(model, text)] = text
    needs, keys = dict(own), {}
    for tool in await tool_store.of_server(tx, "registry", server.id):
        if tool.embedding_key is None:
            text = tool_text(server.name, tool.details)
            key = keys[tool.id] = embedding_key(model, text)
            needs[key] = text
    return MendServer(server=server, own=own, keys=keys, needs=needs)


def _inherited(server: RegistryServer) -> tuple[object, ...]:
    return server.name, server.description, server.server_embedding


def _raw(definition: Mapping[str, object] | None) -> msgspec.Raw | None:
    return None if definition is None else msgspec.Raw(msgspec.json.encode(definition))
