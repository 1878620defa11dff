"""Bringing the rows in step with what a source says, and nothing more than that.

What has not changed is not read further than its hash, not embedded and not written. The rows of
one server change together; servers go in groups, because whoever else wants to write waits for
the group and not for the catalogue.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from hashlib import sha256
from typing import Final, TypeVar

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Busy, Conflict, Invalid
from hubbub.mcpservers import registry_store, workload_store
from hubbub.mcpservers.matching import Normaliser, exact
from hubbub.mcpservers.registry_steps import mend_server, put_server, remove_server
from hubbub.mcpservers.report import Count, Report
from hubbub.mcpservers.snapshots import (
    REFUSALS_MAX,
    RegistryEntry,
    RegistrySnapshot,
    WorkloadEntry,
    WorkloadSnapshot,
    fit,
)
from hubbub.mcpservers.steps import Step, Vectors, recontext
from hubbub.mcpservers.workload_steps import (
    MendWorkload,
    RemoveWorkload,
    link_workload,
    put_workload,
)
from hubbub.search.embedding import Embedder
from hubbub.storage.database import Database
from hubbub.storage.transaction import Transaction, WriteTransaction

SERVERS_AT_ONCE: Final = 50
TOOLS_AT_ONCE: Final = 1_000
ATTEMPTS_MAX: Final = 5

E = TypeVar("E", RegistryEntry, WorkloadEntry)


Plan = Callable[[Transaction], Awaitable[Sequence[Step]]]


class _Behind(Exception):
    """A step needs a text embedded that was not there when the others were."""


class Ingestion:
    """Keeps what is known of MCP servers, and what follows from it, in step with its sources."""

    def __init__(
        self,
        database: Database,
        embedder: Callable[[], Embedder],
        clock: Clock,
        alike: Normaliser = exact,
    ) -> None:
        """
        Args:
            embedder: gives the model, which is not needed before there is something to embed.
            alike: what workloads and registry servers are taken for the same by.
        """
        self._database = database
        self._make = embedder
        self._clock = clock
        self._alike = alike

    async def registry(self, snapshot: RegistrySnapshot) -> Report:
        """Bring the servers of a source in step.

        Raises:
            Conflict: if two entries of the snapshot are known by the same; it names both, and
                nothing is changed.
        """
        report = Report(refused=list(snapshot.refused[:REFUSALS_MAX]))
        said = {each.identity.text: each for each in _fitting(snapshot.servers, report)}
        _refuse_duplicates(snapshot.servers)
        async with self._database.reading() as tx:
            known = await registry_store.hashes(tx, snapshot.source)
        # A server that is said again may no longer be known by all that it was known by.
        named = set(snapshot.gone)
        if snapshot.whole:
            named |= {each.name for each in said.values()}
        removed = [
            each.id
            for text, each in sorted(known.items())
            if text not in said and (snapshot.complete or each.name in named)
        ]
        for ids in _parts(removed):
            await self._removing_servers(ids, report)
        hashes = {text: self._hash(entry.hash) for text, entry in said.items()}
        changed = [
            entry
            for text, entry in said.items()
            if text not in known or known[text].hash != hashes[text]
        ]
        report.unchanged = len(said) - len(changed)
        for entries in _groups(changed):
            await self._putting_servers(snapshot.source, entries, hashes, report)
        return report

    async def workloads(self, snapshot: WorkloadSnapshot) -> Report:
        """Bring the workloads of a source in step."""
        report = Report(refused=list(snapshot.refused[:REFUSALS_MAX]))
        said = {each.workload_name: each for each in _fitting(snapshot.workloads, report)}
        async with self._database.reading() as tx:
            known = await workload_store.hashes(tx, snapshot.source)
        # What a source said of it may be unfit to be kept, but that it is there was said.
        there = snapshot.unclear | {each.workload_name for each in snapshot.workloads}
        gone = set(known) - there
        for ids in _parts([known[name][0] for name in sorted(gone)]):
            await self._removing_workloads(ids, report)
        hashes = {name: self._hash(entry.hash) for name, entry in said.items()}
        changed = [
            entry
            for name, entry in said.items()
            if known.get(name, (None, None))[1] != hashes[name]
        ]
        report.unchanged = len(said) - len(changed)
        for entries in _groups(changed):
            await self._putting_workloads(snapshot.source, entries, hashes, report)
        return report

    async def remove_server(self, id: str) -> Report:
        """Delete a registry server; its workloads stand alone from then on.

        Raises:
            NotFound: if there is none.
        """
        async with self._database.reading() as tx:
            await registry_store.get(tx, id)
        report = Report()
        await self._removing_servers([id], report)
        return report

    async def remove_workload(self, id: str) -> Report:
        """Delete a workload.

        Raises:
            NotFound: if there is none.
        """
        async with self._database.reading() as tx:
            await workload_store.get(tx, id)
        report = Report()
        await self._removing_workloads([id], report)
        return report

    async def rematch(self, ids: Sequence[str]) -> Report:
        """Judge again which registry servers these workloads are made from."""
        report = Report()
        for part in _parts(ids):
            await self._in_step(partial(self._links, part, report), report)
        report.unchanged = len(ids) - report.changed
        return report

    async def mend(self, limit: int = SERVERS_AT_ONCE) -> Report:
        """Embed what could not be embedded before."""
        report = Report()
        async with self._database.reading() as tx:
            servers = await registry_store.unembedded(tx, limit)
            workloads = [each.id for each in await workload_store.faulty(tx, limit)]
        if servers:
            await self._in_step(partial(self._missing_of_servers, servers, report), report)
        if workloads:
            await self._in_step(partial(self._missing_of_workloads, workloads, report), report)
        return report

    @cached_property
    def _embedder(self) -> Embedder:
        return self._make()

    def _hash(self, said: str) -> str:
        """Of what was said, and of the model: another one makes everything anew."""
        return sha256(f"{self._embedder.id}\n{said}".encode()).hexdigest()

    async def _putting_servers(
        self,
        source: str,
        entries: Sequence[RegistryEntry],
        hashes: dict[str, str],
        report: Report,
    ) -> None:
        async def plan(tx: Transaction) -> Sequence[Step]:
            there = await registry_store.by_identities(tx, [each.identity for each in entries])
            count.clear()
            steps: list[Step] = []
            for entry in entries:
                text = entry.identity.text
                old = there.get(text)
                if old is not None and old.source != source:
                    error = registry_store.duplicate(entry.identity, old.name, entry.name)
                    count.refuse(f"{error.message}: {old.source} said it first")
                    continue
                steps.append(
                    await put_server(tx, source, entry, hashes[text], old, self._embedder.id)
                )
                count.put(old is None)
            return steps

        count = Count()
        await self._in_step(plan, report)
        count.add_to(report)

    async def _removing_servers(self, ids: Sequence[str], report: Report) -> None:
        async def plan(tx: Transaction) -> Sequence[Step]:
            servers = await registry_store.by_ids(tx, ids)
            return [
                await remove_server(tx, server, self._embedder.id) for server in servers.values()
            ]

        report.removed += await self._in_step(plan, report)

    async def _putting_workloads(
        self,
        source: str,
        entries: Sequence[WorkloadEntry],
        hashes: dict[str, str],
        report: Report,
    ) -> None:
        async def plan(tx: Transaction) -> Sequence[Step]:
            there = await workload_store.by_names(tx, [each.workload_name for each in entries])
            registries = await registry_store.by_identities(tx, [each.identity for each in entries])
            count.clear()
            steps: list[Step] = []
            for entry in entries:
                name = entry.workload_name
                old = there.get(name)
                if old is not None and old.source != source:
                    count.refuse(f"there is a workload {name}: {old.source} said so first")
                    continue
                try:
                    step = await put_workload(
                        tx,
                        source,
                        entry,
                        hashes[name],
                        old,
                        registries,
                        self._alike,
                        self._embedder.id,
                    )
                except Conflict as error:
                    # One that cannot be told apart is its own affair, and not that of the others.
                    count.refuse(f"{name}: {error.message}")
                    continue
                steps.append(step)
                count.put(old is None)
            return steps

        count = Count()
        await self._in_step(plan, report)
        count.add_to(report)

    async def _removing_workloads(self, ids: Sequence[str], report: Report) -> None:
        async def plan(tx: Transaction) -> Sequence[Step]:
            found = await workload_store.by_ids(tx, ids)
            return [RemoveWorkload(workload=each, needs={}) for each in found]

        report.removed += await self._in_step(plan, report)

    async def _links(self, ids: Sequence[str], report: Report, tx: Transaction) -> Sequence[Step]:
        steps: list[Step] = []
        refused: list[str] = []
        for workload in await workload_store.by_ids(tx, ids):
            try:
                step = await link_workload(tx, workload, self._alike, self._embedder.id)
            except Conflict as error:
                refused.append(f"{workload.workload_name}: {error.message}")
                continue
            if step is not None:
                steps.append(step)
        report.refused = refused[:REFUSALS_MAX]
        report.changed = len(steps)
        return steps

    async def _missing_of_servers(
        self, ids: Sequence[str], report: Report, tx: Transaction
    ) -> Sequence[Step]:
        servers = await registry_store.by_ids(tx, ids)
        steps = [await mend_server(tx, each, self._embedder.id) for each in servers.values()]
        report.changed = len(steps)
        return steps

    async def _missing_of_workloads(
        self, ids: Sequence[str], report: Report, tx: Transaction
    ) -> Sequence[Step]:
        steps: list[Step] = [
            MendWorkload(missing=await recontext(tx, each, each.name_for_tools, self._embedder.id))
            for each in await workload_store.by_ids(tx, ids)
        ]
        report.changed += len(steps)
        return steps

    async def _in_step(self, plan: Plan, report: Report) -> int:
        """Embed what a plan needs, then carry it out as it is by then. How many steps it had."""
        vectors = Vectors(embedder=self._embedder)

        async def work(tx: WriteTransaction) -> int:
            steps = await plan(tx)
            for step in steps:
                if not vectors.cover(step.needs):
                    raise _Behind
            for step in steps:
                await step.apply(tx, vectors, now)
            return len(steps)

        for _ in range(ATTEMPTS_MAX):
            async with self._database.reading() as tx:
                steps = await plan(tx)
            if not steps:
                return 0
            for step in steps:
                await vectors.make(step.needs)
            report.embedded += len(vectors.made)
            now = self._clock()
            try:
                return await self._database.write(work)
            except _Behind:
                report.embedded -= len(vectors.made)
        raise Busy("what is known changes faster than it can be embedded", retryAfterMs=1000)


def _fitting(entries: Iterable[E], report: Report) -> Iterator[E]:
    """The entries that can be kept."""
    for entry in entries:
        try:
            fit(entry)
        except Invalid as error:
            report.refuse(error.message)
        else:
            yield entry


def _refuse_duplicates(entries: Iterable[RegistryEntry]) -> None:
    seen: dict[tuple[bool, str], str] = {}
    for entry in entries:
        try:
            key = (entry.identity.remote, entry.identity.text)
        except ValueError:
            continue  # it does not fit, and that was told
        if key in seen:
            raise registry_store.duplicate(entry.identity, seen[key], entry.name)
        seen[key] = entry.name


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), SERVERS_AT_ONCE):
        yield ids[start : start + SERVERS_AT_ONCE]


def _groups(entries: Iterable[E]) -> Iterator[Sequence[E]]:
    """Entries in groups that are not too many to be written at once."""
    group: list[E] = []
    tools = 0
    for entry in entries:
        more = len(entry.tools or ())
        if group and (len(group) == SERVERS_AT_ONCE or tools + more > TOOLS_AT_ONCE):
            yield group
            group, tools = [], 0
        group.append(entry)
        tools += more
    if group:
        yield group
