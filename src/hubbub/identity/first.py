"""The first account of a hub, without which nobody could make any other."""

from datetime import datetime
from typing import Final

from hubbub.identity import store
from hubbub.identity.model import OWNER_SCOPES
from hubbub.identity.secrets import hash_of, new_key, shown
from hubbub.storage.transaction import WriteTransaction

OWNER_EMAIL: Final = "owner@localhost"


async def first_key(tx: WriteTransaction, now: datetime) -> str | None:
    """Make the owner's account and key if nobody is in charge yet; the key, to be shown once."""
    if await store.admin(tx) is not None:
        return None
    owner_id = await store.add_account(
        tx,
        email=OWNER_EMAIL,
        display_name="Owner",
        access_level="admin",
        status="active",
        now=now,
    )
    return await _owner_key(tx, owner_id, "first key", "owner.created", now)


async def another_key(tx: WriteTransaction, now: datetime) -> str:
    """A new key for whoever is in charge, where all others are lost; to be shown once.

    Whoever can write to the database could do as much by hand: it is no way around anything.
    """
    owner = await store.admin(tx)
    if owner is None:
        key = await first_key(tx, now)
        assert key is not None  # nobody was in charge
        return key
    await store.set_status(tx, owner.id, "active", now)
    return await _owner_key(tx, owner.id, "key made on the machine", "owner.rescued", now)


async def _owner_key(
    tx: WriteTransaction, owner_id: str, name: str, action: str, now: datetime
) -> str:
    secret = new_key()
    key_id = await store.add_key(
        tx,
        owner_id=owner_id,
        key_hash=hash_of(secret),
        prefix=shown(secret),
        name=name,
        scopes=OWNER_SCOPES,
        resources={},
        expires_at=None,
        now=now,
    )
    await store.audit(tx, action, owner_id=owner_id, key_id=key_id, details={}, now=now)
    return secret
