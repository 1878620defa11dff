"""Statements about profiles."""

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from hubbub.kernel.errors import NotFound
from hubbub.kernel.ids import new_id
from hubbub.profiles.model import Profile
from hubbub.profiles.tables import profiles
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction


async def named(tx: Transaction, name: str) -> Profile | None:
    """The profile of this name, if there is one."""
    row = (await tx.execute(select(profiles).where(profiles.c.name == name))).one_or_none()
    return None if row is None else _profile(row)


async def get(tx: Transaction, name: str) -> Profile:
    """The profile of this name.

    Raises:
        NotFound: if there is none.
    """
    found = await named(tx, name)
    if found is None:
        raise NotFound(f"no profile {name}", profile=name)
    return found


async def page(tx: Transaction, after: str, limit: int) -> list[Profile]:
    """Profiles in the order of their names."""
    rows = await tx.execute(
        select(profiles).where(profiles.c.name > after).order_by(profiles.c.name).limit(limit)
    )
    return [_profile(row) for row in rows]


async def add(tx: WriteTransaction, now: datetime, **values: object) -> None:
    await tx.execute(insert(profiles), id=new_id(), **values, created_at=now, updated_at=now)


async def change(tx: WriteTransaction, name: str, now: datetime, **values: object) -> None:
    await tx.execute(
        update(profiles).where(profiles.c.name == name).values(**values, updated_at=now)
    )


async def remove(tx: WriteTransaction, name: str) -> None:
    await tx.execute(delete(profiles).where(profiles.c.name == name))


def _profile(row: Row) -> Profile:
    return Profile(
        id=row.id,
        name=row.name,
        description=row.description,
        mode=row.mode,
        servers=tuple(row.servers),
        groups=tuple(row.groups),
        tools=tuple(row.tools),
        pinned=tuple(row.pinned),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
