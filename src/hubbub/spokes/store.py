"""Statements about spokes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update

from hubbub.kernel.errors import NotFound
from hubbub.kernel.ids import new_id
from hubbub.projects.tables import projects
from hubbub.protocol.specs import Registration
from hubbub.spokes.tables import spokes
from hubbub.storage.dialect import json_text
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A spoke's row after it connected. The epoch never falls."""

    id: str
    epoch: int


async def get(tx: Transaction, id: str) -> Row:
    """One spoke.

    Raises:
        NotFound: if there is none with this id.
    """
    row = (await tx.execute(select(spokes).where(spokes.c.id == id))).one_or_none()
    if row is None:
        raise NotFound(f"no spoke {id}", spoke=id)
    return row


async def page(
    tx: Transaction, *, account_id: str | None, status: str | None, after: str, limit: int
) -> list[Row]:
    """Spokes in the order of their ids; with an account, only that account's."""
    statement = select(spokes).where(spokes.c.id > after).order_by(spokes.c.id).limit(limit)
    if status is not None:
        statement = statement.where(spokes.c.status == status)
    if account_id is not None:
        statement = statement.where(_is_of(tx, account_id))
    return list(await tx.execute(statement))


async def arrive(
    tx: WriteTransaction, account_id: str, told: Registration, now: datetime
) -> Arrival:
    """Note that a spoke connected: the account's spoke of this id or name, or a new one."""
    await _check_project(tx, told.project_id)
    row = await _known(tx, account_id, told)
    epoch = 1 if row is None else int(row.metadata.get("epoch", 0)) + 1
    values = {
        "name": told.name,
        "status": "connected",
        "spoke_type": told.spoke_type,
        "project_id": told.project_id,
        "host_info": told.host_info,
        "connected_at": now,
        "last_heartbeat": now,
        "disconnected_at": None,
        "updated_at": now,
        "metadata": {"accountId": account_id, "epoch": epoch},
    }
    if row is not None:
        await tx.execute(update(spokes).where(spokes.c.id == row.id).values(values))
        return Arrival(id=row.id, epoch=epoch)
    id = new_id()
    await tx.execute(insert(spokes), id=id, created_at=now, **values)
    return Arrival(id=id, epoch=epoch)


async def _check_project(tx: Transaction, id: str | None) -> None:
    if id is not None and not await tx.execute(select(projects.c.id).where(projects.c.id == id)):
        raise NotFound(f"no project {id}", project=id)


async def _known(tx: Transaction, account_id: str, told: Registration) -> Row | None:
    """The row of the spoke that speaks. Somebody else's is never it, whatever it is called."""
    by_id = told.spoke_id is not None
    statement = select(spokes).where(
        spokes.c.id == told.spoke_id if by_id else spokes.c.name == told.name,
        _is_of(tx, account_id),
    )
    statement = statement.order_by(spokes.c.created_at, spokes.c.id).limit(1)
    row = (await tx.execute(statement)).one_or_none()
    if row is None and by_id:
        raise NotFound("no spoke of yours has this id", spoke=told.spoke_id)
    return row


def _is_of(tx: Transaction, account_id: str) -> ColumnElement[bool]:
    return json_text(tx, spokes.c.metadata, "accountId") == account_id


async def leave(tx: WriteTransaction, arrival: Arrival, now: datetime) -> bool:
    """Note that a spoke left, unless it has come back meanwhile. Whether it is away now."""
    row = (await tx.execute(select(spokes).where(spokes.c.id == arrival.id))).one_or_none()
    if row is None or row.metadata.get("epoch") != arrival.epoch:
        return False
    await tx.execute(
        update(spokes)
        .where(spokes.c.id == arrival.id)
        .values(status="disconnected", disconnected_at=now, updated_at=now)
    )
    return True


async def all_left(tx: WriteTransaction, now: datetime) -> None:
    """No spoke is connected: the hub has only just started."""
    await tx.execute(
        update(spokes)
        .where(spokes.c.status == "connected")
        .values(status="disconnected", disconnected_at=now, updated_at=now)
    )


async def beat(tx: WriteTransaction, ids: Sequence[str], now: datetime) -> None:
    """Note that these were heard of."""
    await tx.execute(
        update(spokes)
        .where(spokes.c.id.in_(ids))
        .values(last_heartbeat=now, updated_at=spokes.c.updated_at)
    )


async def remove(tx: WriteTransaction, id: str) -> None:
    await tx.execute(delete(spokes).where(spokes.c.id == id))
