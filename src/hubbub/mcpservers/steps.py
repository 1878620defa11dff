"""What an ingestion does to the rows, in steps that say beforehand which texts they need embedded.

A step is made by reading, and made again inside the write transaction: texts are embedded between
the two, while nobody waits for the lock, and what changed meanwhile is seen.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Unpack, cast

from hubbub.kernel.errors import HubError
from hubbub.mcpservers import tool_store, workload_store
from hubbub.mcpservers.events import ToolsPut, ToolsRemoved, WorkloadsPut
from hubbub.mcpservers.model import ERROR, Side, WorkloadServer
from hubbub.mcpservers.snapshots import Tool
from hubbub.mcpservers.texts import embedding_key, tool_text
from hubbub.mcpservers.vectors import FLOAT_BYTES, checked, mean
from hubbub.search.embedding import Embedder
from hubbub.storage.transaction import Transaction, WriteTransaction

BATCH = 64


@dataclass
class Vectors:
    """The embeddings that were made for a plan, by key, and why others could not be."""

    embedder: Embedder
    made: dict[str, bytes] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    async def make(self, needs: Mapping[str, str]) -> None:
        """Embed what was not tried yet."""
        missing = [key for key in needs if key not in self.made and key not in self.failed]
        for start in range(0, len(missing), BATCH):
            keys = missing[start : start + BATCH]
            try:
                vectors = await self.embedder.embed([needs[key] for key in keys])
                checked(vectors, len(keys), self.embedder.dimensions)
            except HubError as error:
                self.failed |= dict.fromkeys(missing[start:], error.message)
                return
            self.made.update(zip(keys, vectors, strict=True))
            # A model in this process takes the time of everybody else.
            await asyncio.sleep(0)

    def cover(self, needs: Iterable[str]) -> bool:
        """Whether all of these were tried."""
        return all(key in self.made or key in self.failed for key in needs)

    def fault(self, needs: Iterable[str]) -> str | None:
        """Why some of these could not be made."""
        return next((self.failed[key] for key in needs if key in self.failed), None)


class Step(Protocol):
    """One change of the rows of one server."""

    @property
    def needs(self) -> Mapping[str, str]:
        """The texts to embed, by their keys."""

    async def apply(self, tx: WriteTransaction, vectors: Vectors, now: datetime) -> None:
        """Do it."""


@dataclass(frozen=True, kw_only=True)
class Recontext:
    """The tools of a workload in the context of another name."""

    workload: WorkloadServer
    keys: Mapping[str, str]
    """Of the tools that need another embedding, by their ids."""
    needs: Mapping[str, str]

    async def apply(
        self,
        tx: WriteTransaction,
        vectors: Vectors,
        now: datetime,
        **changes: Unpack[workload_store.Changes],
    ) -> WorkloadServer:
        """Give the tools their new embeddings, and the workload what else has changed of it."""
        made = [
            (id, vectors.made[key], key) for id, key in self.keys.items() if key in vectors.made
        ]
        put = await tool_store.re_embed(tx, "workload", made, now)
        if put:
            tx.publish(ToolsPut(side="workload", tools=put))
        return await settle(tx, self.workload, vectors, self.needs, changes, now)


async def recontext(tx: Transaction, workload: WorkloadServer, name: str, model: str) -> Recontext:
    """What it takes to embed the tools of a workload under this name."""
    needs: dict[str, str] = {}
    keys: dict[str, str] = {}
    for tool in await tool_store.of_server(tx, "workload", workload.id):
        text = tool_text(name, tool.details)
        key = embedding_key(model, text)
        if key != tool.embedding_key:
            needs[key] = text
            keys[tool.id] = key
    return Recontext(workload=workload, keys=keys, needs=needs)


async def settle(
    tx: WriteTransaction,
    workload: WorkloadServer,
    vectors: Vectors,
    needs: Iterable[str],
    changes: workload_store.Changes,
    now: datetime,
) -> WorkloadServer:
    """Write what changed of a workload, with the embedding and the status that follow from its
    tools as they are now."""
    fault = vectors.fault(needs)
    reported = changes.get("reported_status", workload.reported_status or workload.status)
    values: dict[str, object] = {
        **changes,
        "server_embedding": await pooled(tx, "workload", workload.id, vectors),
        "fault": fault,
        "status": ERROR if fault else reported,
    }
    news = {key: value for key, value in values.items() if getattr(workload, key) != value}
    if news:
        # Its keys are those of `Changes`.
        changes = cast(workload_store.Changes, news)
        workload = await workload_store.change(tx, workload.id, now, **changes)
    return workload


async def pooled(tx: Transaction, side: Side, server: str, vectors: Vectors) -> bytes | None:
    """What the tools of a server mean together."""
    size = vectors.embedder.dimensions * FLOAT_BYTES
    # What could not be embedded anew may still have the embedding of another model.
    kept = await tool_store.vectors(tx, side, server)
    return mean([each for each in kept if len(each) == size])


async def tell_workloads(tx: WriteTransaction, workloads: Sequence[WorkloadServer]) -> None:
    """That these are others than before, with what they inherit."""
    if workloads:
        joined = await workload_store.with_registry(tx, workloads)
        tx.publish(WorkloadsPut(workloads=tuple(joined)))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The tools that a source says, beside those that are known."""

    keys: tuple[str, ...]
    """Of each tool, in order."""
    needs: Mapping[str, str]


def judged(
    name: str, tools: Sequence[Tool], known: Iterable[tool_store.Known], model: str
) -> Judged:
    """Which texts have to be embedded for these tools of a server of this name."""
    there = {each.name: each.key for each in known}
    texts = [tool_text(name, tool.details) for tool in tools]
    keys = tuple(embedding_key(model, text) for text in texts)
    needs = {
        key: text
        for tool, key, text in zip(tools, keys, texts, strict=True)
        if there.get(tool.name) != key
    }
    return Judged(keys=keys, needs=needs)


async def upsert(
    tx: WriteTransaction,
    side: Side,
    server: str,
    tools: Sequence[Tool],
    judged: Judged,
    vectors: Vectors,
    now: datetime,
) -> None:
    """Bring the tools of a server in step with what its source says."""
    rows = [
        tool_store.Embedded(
            tool=tool,
            embedding=vectors.made.get(key),
            # The key says of which text the embedding is, so what could not be made has none.
            key=None if key in judged.needs and key in vectors.failed else key,
        )
        for tool, key in zip(tools, judged.keys, strict=True)
    ]
    written = await tool_store.bulk_upsert(tx, side, server, rows, now)
    if written.removed:
        tx.publish(ToolsRemoved(side=side, ids=written.removed))
    if written.put:
        tx.publish(ToolsPut(side=side, tools=written.put))
