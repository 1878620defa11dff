"""Statements about accounts, keys and the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Select, bindparam, insert, or_, select, update

from hubbub.identity.model import Account, AuditEntry, Key
from hubbub.identity.tables import accounts, api_keys, audit_logs
from hubbub.kernel.errors import NotFound
from hubbub.kernel.ids import new_id
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

# Constants, because most commands begin or end with one of them.
ACCOUNT: Final = select(accounts).where(accounts.c.id == bindparam("id"))
AUDIT: Final = insert(audit_logs)


async def add_account(
    tx: WriteTransaction,
    *,
    email: str,
    display_name: str | None,
    access_level: str,
    status: str,
    now: datetime,
) -> str:
    """A new account; its id."""
    id = new_id()
    await tx.execute(
        insert(accounts),
        id=id,
        email=email,
        display_name=display_name,
        access_level=access_level,
        status=status,
        created_at=now,
        updated_at=now,
    )
    return id


async def account(tx: Transaction, id: str) -> Account:
    """One account.

    Raises:
        NotFound: if there is none with this id.
    """
    row = (await tx.execute(ACCOUNT, id=id)).one_or_none()
    if row is None:
        raise NotFound(f"no account {id}", account=id)
    return _account(row)


async def account_by_email(tx: Transaction, email: str) -> Account | None:
    row = (await tx.execute(select(accounts).where(accounts.c.email == email))).one_or_none()
    return None if row is None else _account(row)


async def account_page(tx: Transaction, after: str, limit: int) -> list[Account]:
    """Accounts in the order of their addresses."""
    rows = await tx.execute(
        select(accounts).where(accounts.c.email > after).order_by(accounts.c.email).limit(limit)
    )
    return [_account(row) for row in rows]


async def admin(tx: Transaction) -> Account | None:
    """Who was put in charge first, if anybody was."""
    found = await tx.execute(
        select(accounts)
        .where(accounts.c.access_level == "admin")
        .order_by(accounts.c.created_at, accounts.c.id)
        .limit(1)
    )
    row = found.one_or_none()
    return None if row is None else _account(row)


async def set_status(tx: WriteTransaction, id: str, status: str, now: datetime) -> None:
    await tx.execute(
        update(accounts).where(accounts.c.id == id).values(status=status, updated_at=now)
    )


async def add_key(
    tx: WriteTransaction,
    *,
    owner_id: str,
    key_hash: str,
    prefix: str,
    name: str | None,
    scopes: tuple[str, ...],
    resources: Mapping[str, tuple[str, ...]],
    expires_at: datetime | None,
    now: datetime,
) -> str:
    """A new key; its id."""
    id = new_id()
    await tx.execute(
        insert(api_keys),
        id=id,
        owner_id=owner_id,
        key_hash=key_hash,
        prefix=prefix,
        name=name,
        data={"scopes": scopes, "resources": resources},
        enabled=True,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    return id


async def key(tx: Transaction, id: str) -> Key:
    """One key.

    Raises:
        NotFound: if there is none with this id.
    """
    row = (await tx.execute(select(api_keys).where(api_keys.c.id == id))).one_or_none()
    if row is None:
        raise NotFound(f"no key {id}", key=id)
    return _key(row)


async def key_by_hash(tx: Transaction, key_hash: str) -> tuple[Key, Account] | None:
    """The key with this hash and its owner, whatever their state."""
    row = (await tx.execute(select(api_keys).where(api_keys.c.key_hash == key_hash))).one_or_none()
    return None if row is None else (_key(row), await account(tx, row.owner_id))


async def key_page(tx: Transaction, owner_id: str | None, after: str, limit: int) -> list[Key]:
    """Keys in the order of their ids."""
    statement = select(api_keys).where(api_keys.c.id > after).order_by(api_keys.c.id).limit(limit)
    if owner_id is not None:
        statement = statement.where(api_keys.c.owner_id == owner_id)
    return [_key(row) for row in await tx.execute(statement)]


async def change_key(tx: WriteTransaction, id: str, now: datetime, **values: object) -> None:
    await tx.execute(update(api_keys).where(api_keys.c.id == id).values(**values, updated_at=now))


async def touch_key(tx: WriteTransaction, id: str, now: datetime) -> None:
    """Note that a key was used. What is in use is not what it is: `updated_at` stays."""
    await tx.execute(
        update(api_keys)
        .where(api_keys.c.id == id)
        .values(last_used_at=now, updated_at=api_keys.c.updated_at)
    )


async def audit(
    tx: WriteTransaction,
    action: str,
    *,
    owner_id: str,
    key_id: str | None,
    details: Mapping[str, object],
    now: datetime,
) -> None:
    """Write down what was done."""
    await tx.execute(
        AUDIT,
        id=new_id(),
        owner_id=owner_id,
        key_id=key_id,
        action=action,
        details=dict(details),
        created_at=now,
        updated_at=now,
    )


async def audit_page(
    tx: Transaction,
    *,
    action: str | None,
    owner_id: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[AuditEntry]:
    """The trail, newest first."""
    statement: Select[tuple[object, ...]] = select(audit_logs)
    if action is not None:
        statement = statement.where(audit_logs.c.action == action)
    if owner_id is not None:
        statement = statement.where(audit_logs.c.owner_id == owner_id)
    if before is not None:
        at, id = before
        statement = statement.where(
            or_(
                audit_logs.c.created_at < at,
                (audit_logs.c.created_at == at) & (audit_logs.c.id < id),
            )
        )
    statement = statement.order_by(audit_logs.c.created_at.desc(), audit_logs.c.id.desc())
    return [_entry(row) for row in await tx.execute(statement.limit(limit))]


def _account(row: Row) -> Account:
    return Account(
        id=row.id,
        email=row.email,
        display_name=row.display_name,
        access_level=row.access_level,
        status=row.status,
        created_at=row.created_at,
    )


def _key(row: Row) -> Key:
    resources = row.data.get("resources") or {}
    return Key(
        id=row.id,
        owner_id=row.owner_id,
        name=row.name,
        prefix=row.prefix or "",
        scopes=tuple(row.data.get("scopes", ())),
        resources={resource: tuple(actions) for resource, actions in resources.items()},
        enabled=row.enabled,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        rotated_to_id=row.rotated_to_id,
    )


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        action=row.action,
        owner_id=row.owner_id,
        key_id=row.key_id,
        details=row.details or {},
        created_at=row.created_at,
    )
