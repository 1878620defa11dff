"""Servers and tools found by what is asked for, over an index in step with what is known.

Who may be found is judged before the best are taken: a group of ten among ten thousand gets its
ten, and a tool whose server does not run is not found at all.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, assert_never

import anyio

from hubbub.kernel.events import Bus
from hubbub.mcpservers import registry_store, tool_store, workload_store
from hubbub.mcpservers.events import (
    Change,
    RegistryServersPut,
    ServersRemoved,
    ToolsPut,
    ToolsRemoved,
    WorkloadsPut,
)
from hubbub.mcpservers.model import (
    RUNNING,
    RegistryServer,
    Side,
    StoredTool,
    WorkloadWithRegistry,
)
from hubbub.mcpservers.sought import Document, Documents
from hubbub.mcpservers.texts import described_parameters, text_of, title_of
from hubbub.search.embedding import Embedder
from hubbub.search.model import Hit
from hubbub.storage.database import Database

PAGE: Final = 1000

S = TypeVar("S", RegistryServer, WorkloadWithRegistry)


@dataclass(frozen=True, kw_only=True)
class Found(Generic[S]):
    """A server that was found, or a tool of it, and why."""

    server: S
    tool: str | None
    """The id of the tool; None if it is the server itself."""
    hit: Hit


@dataclass
class _Known(Generic[S]):
    """One side: its servers, and whose each tool is."""

    servers: dict[str, S]
    tools: dict[str, dict[str, StoredTool]]
    """By server, then by id."""
    owners: dict[str, str]
    documents: Documents

    @classmethod
    def empty(cls, documents: Documents) -> "_Known[S]":
        return cls(servers={}, tools={}, owners={}, documents=documents)

    def server_of(self, document: str) -> S | None:
        return self.servers.get(self.owners.get(document, document))


class Finder:
    """Reads what is known when it is first asked, and follows it from then on."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        chosen: Embedder | None = None,
        *,
        by_meaning: bool = True,
    ) -> None:
        """
        Args:
            chosen: a model to search by in place of the hub's own.
            by_meaning: without, there is no model at all.
        """
        self._database = database
        self._registry: _Known[RegistryServer] = _Known.empty(
            Documents(chosen, by_meaning=by_meaning)
        )
        self._workloads: _Known[WorkloadWithRegistry] = _Known.empty(
            Documents(chosen, by_meaning=by_meaning)
        )
        self._ready = False
        self._loading = asyncio.Lock()
        self._meanwhile: list[Change] = []
        bus.listen(RegistryServersPut, self._changed)
        bus.listen(WorkloadsPut, self._changed)
        bus.listen(ToolsPut, self._changed)
        bus.listen(ToolsRemoved, self._changed)
        bus.listen(ServersRemoved, self._changed)

    async def servers(
        self,
        text: str,
        limit: int,
        allowed: Callable[[RegistryServer], bool],
    ) -> list[Found[RegistryServer]]:
        """The servers that can be had and fit best, by themselves or by one of their tools, each
        once."""
        await self._read_once()
        return await _best(self._registry, text, limit, allowed)

    async def tools(
        self,
        text: str,
        limit: int,
        allowed: Callable[[WorkloadWithRegistry], bool],
        after: tuple[float, str] | None = None,
    ) -> list[Found[WorkloadWithRegistry]]:
        """The tools that fit best, of servers that run."""
        await self._read_once()
        known = self._workloads

        def may(document: str) -> bool:
            server = known.server_of(document)
            return (
                server is not None
                and document in known.owners
                and server.workload.status == RUNNING
                and allowed(server)
            )

        hits = await known.documents.find(text, limit, may, after)
        return [
            Found(server=known.servers[known.owners[hit.id]], tool=hit.id, hit=hit) for hit in hits
        ]

    def tool(self, side: Side, id: str) -> StoredTool:
        """A tool that was just found."""
        known = self._registry if side == "registry" else self._workloads
        return known.tools[known.owners[id]][id]

    def counts(self) -> Mapping[str, int]:
        """How many documents there are on each side; nothing before anybody asked."""
        return {
            "registry": len(self._registry.documents),
            "workload": len(self._workloads.documents),
        }

    async def run(self) -> None:
        """Have a chosen model read what is known, for as long as this runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._registry.documents.run)
            tasks.start_soon(self._workloads.documents.run)

    async def _read_once(self) -> None:
        async with self._loading:
            if not self._ready:
                await self._read()
                self._ready = True

    async def _read(self) -> None:
        # A reading that was broken off may have left what is gone by now.
        _remove_servers(self._registry, list(self._registry.servers))
        _remove_servers(self._workloads, list(self._workloads.servers))
        self._meanwhile.clear()
        after = ("", "")
        while True:
            async with self._database.reading() as tx:
                servers = await registry_store.page(tx, after=after, limit=PAGE)
            self._follow(RegistryServersPut(servers=tuple(servers)))
            if len(servers) < PAGE:
                break
            after = (servers[-1].name, servers[-1].id)
        after = ("", "")
        while True:
            async with self._database.reading() as tx:
                workloads = await workload_store.page(tx, after=after, limit=PAGE)
                joined = await workload_store.with_registry(tx, workloads)
            self._follow(WorkloadsPut(workloads=tuple(joined)))
            if len(workloads) < PAGE:
                break
            after = (workloads[-1].workload_name, workloads[-1].id)
        for side in tool_store.TABLES:
            last = ""
            while True:
                async with self._database.reading() as tx:
                    tools = await tool_store.page(tx, side, last, PAGE)
                self._follow(ToolsPut(side=side, tools=tuple(tools)))
                if len(tools) < PAGE:
                    break
                last = tools[-1].id
        # What changed meanwhile may have been read before as it was.
        for event in self._meanwhile:
            self._follow(event)
        self._meanwhile.clear()

    def _changed(self, event: Change) -> None:
        if self._ready:
            self._follow(event)
        elif self._loading.locked():
            self._meanwhile.append(event)

    def _follow(self, event: Change) -> None:
        match event:
            case RegistryServersPut(servers=servers):
                _put_registry(self._registry, servers)
            case WorkloadsPut(workloads=workloads):
                _put_workloads(self._workloads, workloads)
            case ToolsPut(side="registry", tools=tools):
                _put_all(self._registry, tools, lambda server: server.name)
            case ToolsPut(tools=tools):
                _put_all(self._workloads, tools, lambda server: server.server_name_for_tools)
            case ToolsRemoved(side="registry", ids=ids):
                _remove_tools(self._registry, ids)
            case ToolsRemoved(ids=ids):
                _remove_tools(self._workloads, ids)
            case ServersRemoved(side="registry", ids=ids):
                _remove_servers(self._registry, ids)
            case ServersRemoved(ids=ids):
                _remove_servers(self._workloads, ids)
            case _:
                assert_never(event)


async def _best(
    known: _Known[RegistryServer],
    text: str,
    limit: int,
    allowed: Callable[[RegistryServer], bool],
) -> list[Found[RegistryServer]]:
    """Servers by the best of what is known of them."""
    seen: set[str] = set()
    after: tuple[float, str] | None = None
    found: list[Found[RegistryServer]] = []

    def may(document: str) -> bool:
        server = known.server_of(document)
        return server is not None and server.id not in seen and allowed(server)

    while len(found) < limit:
        hits = await known.documents.find(text, limit, may, after)
        for hit in hits:
            server = known.server_of(hit.id)
            if server is None or server.id in seen or len(found) == limit:
                continue
            seen.add(server.id)
            tool = hit.id if hit.id in known.owners else None
            found.append(Found(server=server, tool=tool, hit=hit))
        if len(hits) < limit:
            break
        after = (hits[-1].score, hits[-1].id)
    return found


def _put_registry(known: _Known[RegistryServer], servers: Iterable[RegistryServer]) -> None:
    for server in servers:
        before = known.servers.get(server.id)
        known.servers[server.id] = server
        known.documents.put(_server_document(server))
        if before is not None and before.name != server.name:
            _put_tools(known, server.name, server.id)


def _put_workloads(
    known: _Known[WorkloadWithRegistry], workloads: Iterable[WorkloadWithRegistry]
) -> None:
    for each in workloads:
        before = known.servers.get(each.workload.id)
        known.servers[each.workload.id] = each
        name = each.server_name_for_tools
        if before is not None and before.server_name_for_tools != name:
            _put_tools(known, name, each.workload.id)


def _put_tools(known: _Known[S], name: str, id: str) -> None:
    """Index the tools of a server under its new name."""
    for tool in known.tools.get(id, {}).values():
        known.documents.put(_tool_document(tool, name))


def _put_all(known: _Known[S], tools: tuple[StoredTool, ...], name: Callable[[S], str]) -> None:
    for tool in tools:
        server = known.servers.get(tool.mcpserver_id)
        if server is None:
            continue  # it was deleted before this was read
        known.owners[tool.id] = tool.mcpserver_id
        known.tools.setdefault(tool.mcpserver_id, {})[tool.id] = tool
        known.documents.put(_tool_document(tool, name(server)))


def _remove_tools(known: _Known[S], ids: Iterable[str]) -> None:
    for id in ids:
        owner = known.owners.pop(id, None)
        if owner is not None:
            known.tools[owner].pop(id, None)
        known.documents.remove(id)


def _remove_servers(known: _Known[S], ids: Iterable[str]) -> None:
    for id in ids:
        _remove_tools(known, list(known.tools.get(id, ())))
        known.tools.pop(id, None)
        known.servers.pop(id, None)
        known.documents.remove(id)


def _server_document(server: RegistryServer) -> Document:
    return Document(
        id=server.id,
        name=server.name,
        title=title_of(server.definition),
        description=server.description or "",
    )


def _tool_document(tool: StoredTool, server: str) -> Document:
    return Document(
        id=tool.id,
        name=tool.name,
        server=server,
        title=text_of(tool.details.get("title")),
        description=text_of(tool.details.get("description")),
        parameters=tuple(described_parameters(tool.details)),
    )
