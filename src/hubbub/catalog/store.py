"""Statements about operations as they are defined, and as they are offered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, insert, or_, select, tuple_, update

from hubbub.catalog.model import REMOVED
from hubbub.catalog.tables import operation_registrations, operations
from hubbub.kernel.errors import OperationNotFound
from hubbub.kernel.ids import new_id
from hubbub.protocol.specs import OperationSpec
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

NAMES_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A definition and its row."""

    row: str
    spec: OperationSpec


@dataclass(frozen=True, kw_only=True)
class Offer:
    """That a provider offers a definition, and what it calls it itself."""

    row: str
    namespace: str
    name: str


async def get(tx: Transaction, operation_id: str) -> Stored:
    """The definition with this id, `namespace.name`.

    Raises:
        OperationNotFound: if there is none.
    """
    found = await by_ids(tx, [operation_id])
    if not found:
        raise OperationNotFound(f"no operation {operation_id}", operation=operation_id)
    return found[0]


async def by_ids(tx: Transaction, operation_ids: Sequence[str]) -> list[Stored]:
    """Those of these definitions that there are."""
    pairs = [_split(id) for id in operation_ids]
    found: list[Stored] = []
    for start in range(0, len(pairs), NAMES_AT_ONCE):
        part = pairs[start : start + NAMES_AT_ONCE]
        rows = await tx.execute(
            select(operations).where(tuple_(operations.c.namespace, operations.c.name).in_(part))
        )
        found.extend(_stored(row) for row in rows)
    return found


async def by_own_name(tx: Transaction, operation_id: str, limit: int) -> list[Stored]:
    """Definitions that a provider itself calls so, whether it is here or not."""
    table = operation_registrations
    namespace, name = _split(operation_id)
    rows = await tx.execute(
        select(operations)
        .where(
            operations.c.id.in_(
                select(table.c.operation_id).where(
                    table.c.pre_remap_namespace == namespace, table.c.pre_remap_name == name
                )
            )
        )
        .order_by(operations.c.id)
        .limit(limit)
    )
    return [_stored(row) for row in rows]


async def page(
    tx: Transaction, *, namespace: str | None, after: tuple[str, str], limit: int
) -> list[Stored]:
    """Definitions in the order of namespace and name, those under `namespace` only."""
    statement: Select[Any] = (
        select(operations)
        .where(operations.c.id != REMOVED, _is_after(after))
        .order_by(operations.c.namespace, operations.c.name)
        .limit(limit)
    )
    if namespace is not None:
        statement = statement.where(
            or_(
                operations.c.namespace == namespace,
                operations.c.namespace.startswith(f"{namespace}.", autoescape=True),
            )
        )
    return [_stored(row) for row in await tx.execute(statement)]


def _is_after(after: tuple[str, str]) -> Any:
    namespace, name = after
    return or_(
        operations.c.namespace > namespace,
        (operations.c.namespace == namespace) & (operations.c.name > name),
    )


async def define(
    tx: WriteTransaction, specs: Sequence[OperationSpec], now: datetime
) -> tuple[dict[str, Stored], tuple[Stored, ...]]:
    """Store these definitions, as new or in place of the old.

    Returns: all of them by id, and those that were not there as they are now.
    """
    known = {stored.spec.id: stored for stored in await by_ids(tx, [spec.id for spec in specs])}
    added = [{"id": new_id(), **_values(spec, now)} for spec in specs if spec.id not in known]
    changed = [
        {"row": known[spec.id].row, **_values(spec, now)}
        for spec in specs
        if spec.id in known and known[spec.id].spec != spec
    ]
    await tx.execute_many(insert(operations), [{**each, "created_at": now} for each in added])
    for each in changed:
        row = each.pop("row")
        await tx.execute(update(operations).where(operations.c.id == row).values(each))
    rows = {spec_id: stored.row for spec_id, stored in known.items()}
    rows |= {f"{each['namespace']}.{each['name']}": str(each["id"]) for each in added}
    stored = {spec.id: Stored(row=rows[spec.id], spec=spec) for spec in specs}
    news = [each for id, each in stored.items() if id not in known or known[id].spec != each.spec]
    return stored, tuple(news)


async def remove(tx: WriteTransaction, row: str) -> None:
    """Delete a definition, and with it its registrations."""
    await tx.execute(delete(operations).where(operations.c.id == row))


async def activate(
    tx: WriteTransaction,
    provider_type: str,
    provider_id: str,
    offers: Sequence[Offer],
    now: datetime,
) -> None:
    """From now on this provider offers these and nothing else."""
    table = operation_registrations
    rows = await tx.execute(
        select(table.c.id, table.c.operation_id).where(
            table.c.provider_type == provider_type, table.c.provider_id == provider_id
        )
    )
    registered = {row.operation_id: row.id for row in rows}
    await deactivate(tx, provider_type, provider_id, now)
    again = [registered[offer.row] for offer in offers if offer.row in registered]
    for start in range(0, len(again), NAMES_AT_ONCE):
        await tx.execute(
            update(table)
            .where(table.c.id.in_(again[start : start + NAMES_AT_ONCE]))
            .values(status="active", registered_at=now, updated_at=now)
        )
    await tx.execute_many(
        insert(table),
        [
            {
                "id": new_id(),
                "operation_id": offer.row,
                "provider_type": provider_type,
                "provider_id": provider_id,
                "status": "active",
                "pre_remap_namespace": offer.namespace,
                "pre_remap_name": offer.name,
                "registered_at": now,
                "created_at": now,
                "updated_at": now,
            }
            for offer in offers
            if offer.row not in registered
        ],
    )


async def deactivate(
    tx: WriteTransaction, provider_type: str, provider_id: str | None, now: datetime
) -> None:
    """This provider offers nothing now; without an id, none of its type does."""
    table = operation_registrations
    statement = (
        update(table)
        .where(table.c.provider_type == provider_type, table.c.status == "active")
        .values(status="inactive", updated_at=now)
    )
    if provider_id is not None:
        statement = statement.where(table.c.provider_id == provider_id)
    await tx.execute(statement)


async def forget_provider(tx: WriteTransaction, provider_type: str, provider_id: str) -> None:
    """A provider's own row is being deleted: its registrations go in the same transaction."""
    table = operation_registrations
    await tx.execute(
        delete(table).where(
            table.c.provider_type == provider_type, table.c.provider_id == provider_id
        )
    )


async def offered_by_others(
    tx: Transaction, rows: Iterable[str], provider_id: str
) -> dict[str, int]:
    """How many other providers offer each of these definitions now."""
    table = operation_registrations
    found = await tx.execute(
        select(table.c.operation_id, func.count().label("providers"))
        .where(
            table.c.operation_id.in_(list(rows)),
            table.c.status == "active",
            table.c.provider_id != provider_id,
        )
        .group_by(table.c.operation_id)
    )
    return {row.operation_id: row.providers for row in found}


async def active_providers(tx: Transaction, rows: Sequence[str]) -> dict[str, int]:
    """How many providers offer each of these definitions now."""
    return await offered_by_others(tx, rows, "")


def _split(operation_id: str) -> tuple[str, str]:
    namespace, _, name = operation_id.rpartition(".")
    return namespace, name


def _values(spec: OperationSpec, now: datetime) -> dict[str, object]:
    return {
        "namespace": spec.namespace,
        "name": spec.name,
        "version": spec.version,
        "title": spec.title,
        "description": spec.description,
        "type": spec.type,
        "input_schema": spec.input_schema,
        "output_schema": spec.output_schema,
        "access_control": spec.access_control,
        "error_schemas": spec.error_schemas,
        "tags": spec.tags,
        "_meta": spec.meta,
        "metadata": {"idempotent": spec.idempotent, "shared": spec.shared},
        "updated_at": now,
    }


def _stored(row: Row) -> Stored:
    hub_side = row.metadata or {}
    spec = msgspec.convert(
        {
            "namespace": row.namespace,
            "name": row.name,
            "version": row.version,
            "title": row.title,
            "description": row.description,
            "type": row.type,
            "inputSchema": row.input_schema,
            "outputSchema": row.output_schema,
            "accessControl": row.access_control,
            "errorSchemas": row.error_schemas or [],
            "tags": row.tags or [],
            "_meta": row.meta or {},
            "idempotent": hub_side.get("idempotent", False),
            "shared": hub_side.get("shared", False),
        },
        type=OperationSpec,
    )
    return Stored(row=row.id, spec=spec)
