"""Statements about servers that run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from sqlalchemy import Select, bindparam, delete, func, insert, select, tuple_, update

from hubbub.kernel.errors import Conflict, NotFound
from hubbub.kernel.ids import new_id
from hubbub.mcpservers import registry_store
from hubbub.mcpservers.model import (
    BY_HAND,
    Status,
    Transport,
    WorkloadServer,
    WorkloadWithRegistry,
)
from hubbub.mcpservers.tables import mcpservers_workload as table
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

AT_ONCE: Final = 500

_BY_ID: Final = select(table).where(table.c.id == bindparam("id"))
_BY_NAME: Final = select(table).where(table.c.workload_name == bindparam("name"))
_DELETE: Final = delete(table).where(table.c.id == bindparam("row"))


class Changes(TypedDict, total=False):
    """What may be changed. What is not named stays; what is named and None becomes null."""

    name: str
    url: str | None
    package: str | None
    remote: bool
    transport: Transport
    status: Status
    registry_server_id: str | None
    registry_server_name: str | None
    description: str | None
    server_embedding: bytes | None
    group: str
    source: str
    reported_status: Status
    fault: str | None
    content_hash: str | None


async def create(
    tx: WriteTransaction, workload_name: str, now: datetime, **values: Unpack[Changes]
) -> WorkloadServer:
    """Add a workload.

    Raises:
        Conflict: if there is one of this name.
    """
    there = (await by_names(tx, [workload_name])).get(workload_name)
    if there is not None:
        raise Conflict(f"there is a workload {workload_name}", workload=there.id)
    id = new_id()
    row: dict[str, object] = {
        "id": id,
        "workload_name": workload_name,
        "name": workload_name,
        "source": BY_HAND,
        "group": "default",
        **values,
        "created_at": now,
        "last_updated": now,
    }
    await tx.execute(insert(table), **row)
    return await get(tx, id)


async def get(tx: Transaction, id: str) -> WorkloadServer:
    """
    Raises:
        NotFound: if there is none.
    """
    row = (await tx.execute(_BY_ID, id=id)).one_or_none()
    if row is None:
        raise NotFound(f"no workload {id}", workload=id)
    return _workload(row)


async def get_named(tx: Transaction, workload_name: str) -> WorkloadServer:
    """
    Raises:
        NotFound: if there is none of this name.
    """
    row = (await tx.execute(_BY_NAME, name=workload_name)).one_or_none()
    if row is None:
        raise NotFound(f"no workload {workload_name}", workload=workload_name)
    return _workload(row)


async def find(tx: Transaction, id: str) -> WorkloadServer:
    """The workload of this id, or else of this name.

    Raises:
        NotFound: if there is none.
    """
    row = (await tx.execute(_BY_ID, id=id)).one_or_none()
    return await get_named(tx, id) if row is None else _workload(row)


async def ids(tx: Transaction, limit: int) -> list[str]:
    """The ids of all workloads."""
    rows = await tx.execute(select(table.c.id).order_by(table.c.id).limit(limit))
    return [row.id for row in rows]


async def by_ids(tx: Transaction, ids: Sequence[str]) -> list[WorkloadServer]:
    """Those of these that there are."""
    return [
        _workload(row)
        for start in range(0, len(ids), AT_ONCE)
        for row in await tx.execute(
            select(table).where(table.c.id.in_(ids[start : start + AT_ONCE])).order_by(table.c.id)
        )
    ]


async def faulty(tx: Transaction, limit: int) -> list[WorkloadServer]:
    """Workloads whose tools could not be embedded."""
    rows = await tx.execute(
        select(table).where(table.c.fault.is_not(None)).order_by(table.c.id).limit(limit)
    )
    return [_workload(row) for row in rows]


async def by_names(tx: Transaction, names: Sequence[str]) -> dict[str, WorkloadServer]:
    """Those of these that there are."""
    return {
        row.workload_name: _workload(row)
        for start in range(0, len(names), AT_ONCE)
        for row in await tx.execute(
            select(table).where(table.c.workload_name.in_(names[start : start + AT_ONCE]))
        )
    }


async def with_registry(
    tx: Transaction, workloads: Sequence[WorkloadServer]
) -> list[WorkloadWithRegistry]:
    """Workloads with what they inherit."""
    linked = sorted({w.registry_server_id for w in workloads if w.registry_server_id})
    servers = await registry_store.by_ids(tx, linked)
    return [
        WorkloadWithRegistry(workload=each, registry=servers.get(each.registry_server_id or ""))
        for each in workloads
    ]


async def linked_to(tx: Transaction, registry_ids: Sequence[str]) -> list[WorkloadServer]:
    """The workloads that are made from these servers."""
    return [
        _workload(row)
        for start in range(0, len(registry_ids), AT_ONCE)
        for row in await tx.execute(
            select(table)
            .where(table.c.registry_server_id.in_(registry_ids[start : start + AT_ONCE]))
            .order_by(table.c.id)
        )
    ]


async def hashes(tx: Transaction, source: str) -> dict[str, tuple[str, str | None]]:
    """The id and the content hash of each workload of a source, by its name; no hash while
    something of it has still to be worked out."""
    rows = await tx.execute(
        select(table.c.id, table.c.workload_name, table.c.content_hash, table.c.fault).where(
            table.c.source == source
        )
    )
    return {
        row.workload_name: (row.id, row.content_hash if row.fault is None else None) for row in rows
    }


async def change(
    tx: WriteTransaction, id: str, now: datetime, **changes: Unpack[Changes]
) -> WorkloadServer:
    """
    Raises:
        NotFound: if there is none.
    """
    if changes:
        await tx.execute(
            update(table).where(table.c.id == bindparam("row")),
            row=id,
            last_updated=now,
            **changes,
        )
    return await get(tx, id)


async def remove(tx: WriteTransaction, id: str) -> None:
    """Delete a workload, and with it its tools."""
    await tx.execute(_DELETE, row=id)


async def page(
    tx: Transaction,
    *,
    group: str | None = None,
    status: Status | None = None,
    linked: bool | None = None,
    source: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int,
) -> list[WorkloadServer]:
    """Workloads in the order of their names."""
    statement: Select[Any] = select(table).where(tuple_(table.c.workload_name, table.c.id) > after)
    for column, wanted in (
        (table.c.group, group), (table.c.status, status), (table.c.source, source),
    ):  # fmt: skip
        if wanted is not None:
            statement = statement.where(column == wanted)
    if linked is not None:
        has = table.c.registry_server_id.is_not(None)
        statement = statement.where(has if linked else ~has)
    rows = await tx.execute(statement.order_by(table.c.workload_name, table.c.id).limit(limit))
    return [_workload(row) for row in rows]


async def counts(tx: Transaction) -> dict[str, int]:
    """How many workloads there are in each status."""
    rows = await tx.execute(
        select(table.c.status, func.count().label("workloads")).group_by(table.c.status)
    )
    return {row.status: row.workloads for row in rows}


def _workload(row: Row) -> WorkloadServer:
    return WorkloadServer(
        id=row.id,
        workload_name=row.workload_name,
        name=row.name,
        url=row.url,
        package=row.package,
        remote=bool(row.remote),
        transport=row.transport,
        status=row.status,
        registry_server_id=row.registry_server_id,
        registry_server_name=row.registry_server_name,
        description=row.description,
        server_embedding=row.server_embedding,
        group=row.group,
        source=row.source,
        reported_status=row.reported_status,
        fault=row.fault,
        content_hash=row.content_hash,
        last_updated=row.last_updated,
        created_at=row.created_at,
    )
