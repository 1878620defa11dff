"""Statements about clients and their secrets."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import delete, func, insert, or_, select, update

from hubbub.identity.tables import organization_members, organizations
from hubbub.kernel.errors import NotFound
from hubbub.kernel.ids import new_id
from hubbub.services.encryption import Encrypted
from hubbub.services.model import Client, Secret
from hubbub.services.tables import client_secrets, clients
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

BATCH: Final = 500


async def add(
    tx: WriteTransaction,
    *,
    id: str,
    name: str,
    type: str,
    config: msgspec.Raw,
    enabled: bool,
    owner_id: str,
    org_id: str | None,
    now: datetime,
) -> None:
    await tx.execute(
        insert(clients),
        id=id,
        name=name,
        type=type,
        config=config,
        enabled=enabled,
        owner_id=owner_id,
        org_id=org_id,
        created_at=now,
        updated_at=now,
    )


async def get(tx: Transaction, id: str) -> Client:
    """One client.

    Raises:
        NotFound: if there is none with this id.
    """
    row = (await tx.execute(select(clients).where(clients.c.id == id))).one_or_none()
    if row is None:
        raise NotFound(f"no client {id}", client=id)
    return _client(row)


async def by_name(tx: Transaction, name: str) -> Client | None:
    row = (await tx.execute(select(clients).where(clients.c.name == name))).one_or_none()
    return None if row is None else _client(row)


async def find(tx: Transaction, id_or_name: str) -> Client:
    """The client with this id or this name. No name looks like an id.

    Raises:
        NotFound: if there is none.
    """
    return await by_name(tx, id_or_name) or await get(tx, id_or_name)


async def enabled(tx: Transaction, types: Collection[str]) -> list[Client]:
    """The clients of these types that are to be connected, in the order of their names."""
    rows = await tx.execute(
        select(clients)
        .where(clients.c.enabled, clients.c.type.in_(list(types)))
        .order_by(clients.c.name)
    )
    return [_client(row) for row in rows]


async def every(tx: Transaction, type: str) -> list[Client]:
    """The clients of a type, also those that are not to be connected."""
    rows = await tx.execute(select(clients).where(clients.c.type == type).order_by(clients.c.name))
    return [_client(row) for row in rows]


async def page(
    tx: Transaction,
    *,
    seen_by: str | None,
    type: str | None = None,
    enabled: bool | None = None,
    after: str = "",
    limit: int,
) -> list[Client]:
    """Clients in the order of their names.

    Args:
        seen_by: an account: only its own, and those of its organizations; None for all.
    """
    statement = select(clients).where(clients.c.name > after).order_by(clients.c.name).limit(limit)
    if seen_by is not None:
        theirs = select(organization_members.c.org_id).where(
            organization_members.c.account_id == seen_by
        )
        statement = statement.where(
            or_(clients.c.owner_id == seen_by, clients.c.org_id.in_(theirs))
        )
    if type is not None:
        statement = statement.where(clients.c.type == type)
    if enabled is not None:
        statement = statement.where(clients.c.enabled.is_(enabled))
    return [_client(row) for row in await tx.execute(statement)]


async def count(tx: Transaction) -> int:
    found: int = (await tx.execute(select(func.count().label("n")).select_from(clients))).scalar()
    return found


async def change(tx: WriteTransaction, id: str, now: datetime, **values: object) -> None:
    await tx.execute(update(clients).where(clients.c.id == id).values(**values, updated_at=now))


async def remove(tx: WriteTransaction, id: str) -> None:
    """Forget a client, and its secrets with it."""
    await tx.execute(delete(clients).where(clients.c.id == id))


async def level(tx: Transaction, org_id: str, account_id: str) -> str | None:
    """What an account is in an organization; None for nothing.

    Raises:
        NotFound: if there is no such organization.
    """
    rows = await tx.execute(select(organizations.c.id).where(organizations.c.id == org_id))
    if rows.one_or_none() is None:
        raise NotFound(f"no organization {org_id}", organization=org_id)
    rows = await tx.execute(
        select(organization_members.c.membership_level).where(
            organization_members.c.org_id == org_id,
            organization_members.c.account_id == account_id,
        )
    )
    found: str | None = rows.scalar()
    return found


async def put_secret(
    tx: WriteTransaction,
    client_id: str,
    name: str,
    value: Encrypted,
    expires_at: datetime | None,
    now: datetime,
) -> None:
    """A secret, in place of any other with its name."""
    known = await secrets(tx, client_id, [name])
    if known:
        await tx.execute(
            update(client_secrets)
            .where(client_secrets.c.id == known[0].id)
            .values(value=value, expires_at=expires_at, updated_at=now)
        )
        return
    await tx.execute(
        insert(client_secrets),
        id=new_id(),
        client_id=client_id,
        key=name,
        value=value,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )


async def secrets(
    tx: Transaction, client_id: str, names: Iterable[str] | None = None
) -> list[Secret]:
    """A client's secrets as they are stored, or those of these names, in the order of names."""
    statement = (
        select(client_secrets)
        .where(client_secrets.c.client_id == client_id)
        .order_by(client_secrets.c.key)
    )
    if names is not None:
        statement = statement.where(client_secrets.c.key.in_(sorted(names)))
    return [_secret(row) for row in await tx.execute(statement)]


async def secrets_after(tx: Transaction, after: str, limit: int) -> list[Secret]:
    """Secrets of all clients, in the order of their ids."""
    rows = await tx.execute(
        select(client_secrets)
        .where(client_secrets.c.id > after)
        .order_by(client_secrets.c.id)
        .limit(limit)
    )
    return [_secret(row) for row in rows]


async def remove_secret(tx: WriteTransaction, client_id: str, name: str) -> bool:
    """Forget a secret; whether there was one."""
    gone = await tx.execute(
        delete(client_secrets).where(
            client_secrets.c.client_id == client_id, client_secrets.c.key == name
        )
    )
    return gone.changed > 0


async def reencrypted(tx: WriteTransaction, renewed: Mapping[str, tuple[Secret, Encrypted]]) -> int:
    """Secrets under another key, by their ids; how many. One that is not what it was when it was
    decrypted, having been set or removed since, is left alone."""
    done = 0
    for id, (before, value) in renewed.items():
        rows = await tx.execute(select(client_secrets).where(client_secrets.c.id == id))
        row = rows.one_or_none()
        if row is None or _secret(row).value != before.value:
            continue
        # It is the same secret: when it was set is told by `updated_at`, which stays.
        await tx.execute(
            update(client_secrets)
            .where(client_secrets.c.id == id)
            .values(value=value, updated_at=client_secrets.c.updated_at)
        )
        done += 1
    return done


async def newest_version(tx: Transaction) -> int:
    """The highest version of a key that any secret is encrypted with; 0 where there is none."""
    newest, after = 0, ""
    while found := await secrets_after(tx, after, BATCH):
        newest = max(newest, *(each.value.key_version for each in found if each.value), newest)
        after = found[-1].id
    return newest


def _client(row: Row) -> Client:
    return Client(
        id=row.id,
        name=row.name,
        type=row.type,
        config=row.config,
        enabled=row.enabled,
        owner_id=row.owner_id,
        org_id=row.org_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _secret(row: Row) -> Secret:
    try:
        value = msgspec.convert(row.value, Encrypted)
    except msgspec.ValidationError:
        value = None
    return Secret(
        id=row.id,
        client_id=row.client_id,
        name=row.key,
        value=value,
        expires_at=row.expires_at,
        updated_at=row.updated_at,
    )
