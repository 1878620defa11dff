"""Servers that others say are running, connected to as if somebody had configured them.

Each becomes a client with the name of its workload, which belongs to whom its source belongs, and
goes when its workload goes. What somebody configured by hand under the same name is left alone.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from hubbub.kernel.clock import Clock
from hubbub.kernel.events import Bus
from hubbub.kernel.ids import new_id
from hubbub.mcpservers import workload_store
from hubbub.mcpservers.events import ServersRemoved, WorkloadsPut
from hubbub.mcpservers.model import WorkloadServer
from hubbub.protocol.codec import encode
from hubbub.services import store
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import MCP_SERVER, WORKLOAD_SOURCE, Client, McpServer
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.mcp.offers import fit
from hubbub.upstreams.workloads import SOURCE

log = logging.getLogger(__name__)

PAGE: Final = 500
WORKLOADS_MAX: Final = 10_000
SETTLE_S: Final = 0.2
RETRY_S: Final = 60.0
NAME_CHARS_MAX: Final = 64


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    owner_id: str
    config: msgspec.Raw


class Adoption:
    """Keeps the clients of workloads in step with them."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._news = asyncio.Event()
        self._news.set()
        bus.listen(WorkloadsPut, self._heard)
        bus.listen(ServersRemoved, self._heard)

    async def run(self) -> None:
        """Follow the workloads, until this is cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(SETTLE_S)  # they come in swarms
            self._news.clear()
            try:
                await self._database.write(self._in_step)
            except self._database.faults:
                log.exception("workloads could not be connected to")
                await asyncio.sleep(RETRY_S)
                self._news.set()

    def _heard(self, event: object) -> None:
        if not isinstance(event, ServersRemoved) or event.side == "workload":
            self._news.set()

    async def _in_step(self, tx: WriteTransaction) -> None:
        sources = {each.name: each for each in await store.every(tx, WORKLOAD_SOURCE)}
        wanted = {
            name: _Wanted(owner_id=sources[each.source].owner_id, config=_config(each))
            for name, each in _named(await _running(tx)).items()
            if each.source in sources
        }
        for client in await store.every(tx, MCP_SERVER):
            if not _adopted(client):
                wanted.pop(client.name, None)
                continue
            found = wanted.pop(client.name, None)
            if found is None:
                await store.remove(tx, client.id)
                tx.publish(ClientRemoved(client_id=client.id, name=client.name))
            elif found.config != client.config:
                await store.change(tx, client.id, self._clock(), config=found.config)
                tx.publish(ClientChanged(client_id=client.id))
        await self._add(tx, wanted)

    async def _add(self, tx: WriteTransaction, wanted: Mapping[str, _Wanted]) -> None:
        for name, found in wanted.items():
            if await store.by_name(tx, name) is not None:
                continue  # a client of another type has the name
            id = new_id()
            await store.add(
                tx,
                id=id,
                name=name,
                type=MCP_SERVER,
                config=found.config,
                enabled=True,
                owner_id=found.owner_id,
                org_id=None,
                now=self._clock(),
            )
            tx.publish(ClientChanged(client_id=id))


async def _running(tx: WriteTransaction) -> list[WorkloadServer]:
    """Those that run elsewhere and can be reached."""
    found: list[WorkloadServer] = []
    after = ("", "")
    while len(found) < WORKLOADS_MAX:
        page = await workload_store.page(tx, status="running", after=after, limit=PAGE)
        found += [each for each in page if each.source != SOURCE and each.url]
        if len(page) < PAGE:
            break
        after = (page[-1].workload_name, page[-1].id)
    return found


def _named(workloads: list[WorkloadServer]) -> dict[str, WorkloadServer]:
    """By names that clients may have."""
    named: dict[str, WorkloadServer] = {}
    for each in workloads:
        named[fit(each.workload_name, named)[:NAME_CHARS_MAX]] = each
    return named


def _config(workload: WorkloadServer) -> msgspec.Raw:
    config = McpServer(
        transport="sse" if workload.transport == "sse" else "streamable-http",
        url=workload.url,
        group=workload.group,
        workload=workload.id,
    )
    return msgspec.Raw(encode(config))


def _adopted(client: Client) -> bool:
    return bool(msgspec.json.decode(client.config).get("workload"))
