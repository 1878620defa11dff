"""Statements about the call graph."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw
from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, type_coerce, update

from hubbub.calls.tables import call_graph_edges, call_graph_nodes
from hubbub.catalog.model import REMOVED
from hubbub.catalog.tables import operations
from hubbub.identity.tables import accounts
from hubbub.kernel.errors import HubError, NotFound
from hubbub.operations.recording import CallRecord
from hubbub.protocol.codec import encode
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction
from hubbub.storage.types import RawJson

nodes = call_graph_nodes
edges = call_graph_edges

COLUMNS: Final = (
    "id", "request_id", "operation_id", "parent_request_id", "identity", "caller_account_id",
    "status", "input", "output", "error", "metadata",
    "created_at", "started_at", "completed_at", "updated_at",
)  # fmt: skip
CHANGING: Final = (
    "status", "output", "error", "metadata", "started_at", "completed_at", "updated_at",
)  # fmt: skip
MESSAGE_CHARS_MAX: Final = 1000
EDGE_COLUMNS: Final = ("id", "source_id", "target_id", "edge_type", "created_at", "updated_at")

CHANGE: Final = update(nodes).where(nodes.c.id == bindparam("call"))
"""Takes what `CallRow.changing` gives."""


class CallRow(msgspec.Struct, frozen=True):
    """What the graph keeps of a call, as it is at this moment."""

    id: str
    parent_id: str | None
    ended: bool
    bytes: int
    """About how large it is: what was said, and what went wrong."""
    values: tuple[object, ...]
    """In the order of `COLUMNS`."""

    @property
    def changing(self) -> dict[str, object]:
        """What a running call changes."""
        values = dict(zip(COLUMNS, self.values, strict=True))
        return {"call": self.id, **{name: values[name] for name in CHANGING}}

    def emptied(self) -> "CallRow":
        """The same without what was said, for a database that cannot keep it: PostgreSQL has no
        room for a NUL in a text, nor for a number of more than some digits."""
        values = dict(zip(COLUMNS, self.values, strict=True))
        for name in ("input", "output"):
            if values[name] is not None:
                values[name] = {"$omitted": {"reason": "the database cannot keep it"}}
        if values["error"] is not None:
            values["error"] = {"code": "UNKNOWN_ERROR", "message": "omitted", "details": {}}
        return msgspec.structs.replace(self, values=tuple(values.values()))

    @property
    def edge(self) -> tuple[object, ...]:
        """The edge from its parent, in the order of `EDGE_COLUMNS`.

        An edge has no life of its own: its id says what it joins, which also makes it cheap.
        """
        created_at = self.values[COLUMNS.index("created_at")]
        edge_id = f"{self.id}:triggered"
        return edge_id, self.parent_id, self.id, "triggered", created_at, created_at


def call_row(call: CallRecord, bytes_max: int) -> CallRow:
    """A call as the graph will have it. Moments that are the same are the same object, which the
    database notices."""
    identity = call.caller.identity
    created_at = _moment(call.created_ns)
    started_at = created_at if call.started_ns == call.created_ns else _moment(call.started_ns)
    ended_at = _moment(call.ended_ns)
    hidden = call.sensitive
    input = None if hidden else _bounded(call.input, bytes_max)
    output = None if hidden else _bounded(call.output, bytes_max)
    error = None if call.error is None else _error(call.error, bytes_max, hidden=hidden)
    return CallRow(
        call.id,
        call.parent_id,
        ended_at is not None,
        _size(input) + _size(output) + _size(error),
        (
            call.id,
            call.id,
            call.operation_row,
            call.parent_id,
            None if identity is None else call.caller.identity_json,
            None if identity is None else identity.id,
            call.status,
            input,
            output,
            error,
            {"provider": call.provider_id, "answers": call.answers},
            created_at,
            started_at,
            ended_at,
            ended_at or created_at,
        ),
    )


async def write(tx: WriteTransaction, rows: Sequence[CallRow], known: Container[str]) -> None:
    """Insert the calls that are not `known`, and bring the others up to date."""
    new = [row for row in rows if row.id not in known]
    await tx.insert_many(nodes, COLUMNS, [row.values for row in new])
    await tx.execute_many(CHANGE, [row.changing for row in rows if row.id in known])
    led = [row.edge for row in new if row.parent_id is not None]
    await tx.insert_many(edges, EDGE_COLUMNS, led, missing_only=True)


async def write_uprooted(tx: WriteTransaction, row: CallRow) -> None:
    """Write a call whose operation, account or parent may be gone by now."""
    values = dict(zip(COLUMNS, row.values, strict=True))
    if not await tx.execute(
        select(operations.c.id).where(operations.c.id == values["operation_id"])
    ):
        values["operation_id"] = REMOVED
    owner = values["caller_account_id"]
    if not await tx.execute(select(accounts.c.id).where(accounts.c.id == owner)):
        values["caller_account_id"] = None
    await tx.insert_many(nodes, COLUMNS, [tuple(values.values())], missing_only=True)
    await tx.execute(CHANGE, **row.changing)
    if await tx.execute(select(nodes.c.id).where(nodes.c.id == row.parent_id)):
        await tx.insert_many(edges, EDGE_COLUMNS, [row.edge], missing_only=True)


async def close_open(tx: WriteTransaction, reason: str, now: datetime) -> int:
    """End the calls that a hub left open when it died; how many there were."""
    error = {
        "code": "ABORTED",
        "message": "the hub stopped before the call ended",
        "details": {"reason": reason},
    }
    found = await tx.execute(
        update(nodes)
        .where(nodes.c.status.in_(["pending", "running"]))
        .values(status="failed", error=error, completed_at=now, updated_at=now)
    )
    return found.changed


async def get(tx: Transaction, id: str, account_id: str | None) -> Row:
    """One call; with an account, only if it is that account's.

    Raises:
        NotFound: if there is none, or none that may be seen.
    """
    statement = _calls().where(nodes.c.id == id)
    if account_id is not None:
        statement = statement.where(nodes.c.caller_account_id == account_id)
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        raise NotFound(f"no call {id}", call=id)
    return row


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which calls are meant; None everywhere is all of them."""

    status: str | None = None
    operation: str | None = None
    account_id: str | None = None
    parent_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    tx: Transaction, wanted: Filter, before: tuple[datetime, str] | None, limit: int
) -> list[Row]:
    """Calls, newest first."""
    statement = _filtered(_calls(), wanted)
    if before is not None:
        at, id = before
        statement = statement.where(
            or_(nodes.c.created_at < at, and_(nodes.c.created_at == at, nodes.c.id < id))
        )
    statement = statement.order_by(nodes.c.created_at.desc(), nodes.c.id.desc()).limit(limit)
    return list(await tx.execute(statement))


async def descendants(tx: Transaction, id: str, limit: int) -> list[Row]:
    """A call and all that it led to, parents before children, siblings in the order of time."""
    found: list[Row] = list(await tx.execute(_calls().where(nodes.c.id == id)))
    parents = [id]
    while parents and len(found) < limit:
        children = await tx.execute(
            _calls()
            .where(
                nodes.c.id.in_(
                    select(edges.c.target_id).where(
                        edges.c.source_id.in_(parents), edges.c.edge_type == "triggered"
                    )
                )
            )
            .order_by(nodes.c.created_at, nodes.c.id)
            .limit(limit - len(found))
        )
        found.extend(children)
        parents = [child.id for child in children]
    return found


async def ancestors(tx: Transaction, id: str, limit: int) -> list[Row]:
    """The way from the first call to this one."""
    way: list[Row] = []
    at: str | None = id
    while at is not None and len(way) < limit:
        row = (await tx.execute(_calls().where(nodes.c.id == at))).one_or_none()
        if row is None:
            break
        way.append(row)
        at = row.parent_request_id
    return way[::-1]


async def durations(tx: Transaction, wanted: Filter, limit: int) -> list[Row]:
    """Operation, status and times of ended calls, newest first."""
    statement: Select[Any] = select(
        operations.c.namespace,
        operations.c.name,
        nodes.c.status,
        nodes.c.created_at,
        nodes.c.completed_at,
    ).join(operations, nodes.c.operation_id == operations.c.id)
    statement = _filtered(statement, wanted).where(nodes.c.completed_at.is_not(None))
    return list(await tx.execute(statement.order_by(nodes.c.created_at.desc()).limit(limit)))


async def of_operation(tx: Transaction, row: str) -> int:
    """How many records refer to a definition."""
    found = await tx.execute(select(func.count().label("calls")).where(nodes.c.operation_id == row))
    return int(found.scalar())


async def reassign(tx: WriteTransaction, row: str, now: datetime) -> int:
    """Hand the records of a definition to the one that stands for all that are gone."""
    found = await tx.execute(
        update(nodes)
        .where(nodes.c.operation_id == row)
        .values(operation_id=REMOVED, updated_at=now)
    )
    return found.changed


async def delete_before(tx: WriteTransaction, before: datetime, limit: int) -> int:
    """Delete the oldest ended calls, a bounded number; how many."""
    oldest = (
        select(nodes.c.id)
        .where(
            nodes.c.created_at < before,
            nodes.c.status.in_(["completed", "failed", "aborted"]),
        )
        .order_by(nodes.c.created_at)
        .limit(limit)
    )
    return (await tx.execute(delete(nodes).where(nodes.c.id.in_(oldest)))).changed


def _calls() -> Select[Any]:
    return select(
        nodes.c.id,
        nodes.c.parent_request_id,
        nodes.c.identity,
        nodes.c.caller_account_id,
        nodes.c.status,
        type_coerce(nodes.c.input, RawJson()).label("input"),
        type_coerce(nodes.c.output, RawJson()).label("output"),
        nodes.c.error,
        nodes.c.metadata,
        nodes.c.created_at,
        nodes.c.started_at,
        nodes.c.completed_at,
        operations.c.namespace,
        operations.c.name,
    ).join(operations, nodes.c.operation_id == operations.c.id)


def _filtered(statement: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.status is not None:
        statement = statement.where(nodes.c.status == wanted.status)
    if wanted.operation is not None:
        namespace, _, name = wanted.operation.rpartition(".")
        statement = statement.where(operations.c.namespace == namespace, operations.c.name == name)
    if wanted.account_id is not None:
        statement = statement.where(nodes.c.caller_account_id == wanted.account_id)
    if wanted.parent_id is not None:
        made = select(edges.c.target_id).where(
            edges.c.source_id == wanted.parent_id, edges.c.edge_type == "triggered"
        )
        statement = statement.where(nodes.c.id.in_(made))
    if wanted.since is not None:
        statement = statement.where(nodes.c.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(nodes.c.created_at < wanted.until)
    return statement


def _moment(ns: int) -> datetime | None:
    return datetime.fromtimestamp(ns / 1e9, UTC) if ns else None


def _size(raw: Raw | bytes | None) -> int:
    return 0 if raw is None else memoryview(raw).nbytes


def _bounded(raw: Raw | bytes | None, bytes_max: int) -> Raw | bytes | None:
    """A value as it was, or a note of how big it was."""
    size = _size(raw)
    return raw if size <= bytes_max else encode(_omitted(size))


def _error(error: HubError, bytes_max: int, *, hidden: bool) -> bytes:
    # What is wrong with an input quotes it.
    details = encode({} if hidden else error.details)
    kept = Raw(details) if len(details) <= bytes_max else _omitted(len(details))
    message = error.message[:MESSAGE_CHARS_MAX]
    return encode({"code": error.name, "message": message, "details": kept})


def _omitted(size: int) -> dict[str, object]:
    return {"$omitted": {"bytes": size}}
