"""What callers may do with accounts and keys, and how they read the trail."""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from hubbub.identity import store
from hubbub.identity.model import (
    AccessLevel,
    Account,
    AccountStatus,
    AuditEntry,
    Key,
    KeyChanged,
)
from hubbub.identity.secrets import hash_of, new_key, shown
from hubbub.identity.trail import note
from hubbub.kernel.errors import AccessDenied, Conflict, NotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, decode_moment, page_of
from hubbub.operations.context import Reading, Writing
from hubbub.operations.inputs import Input, Limit, Moment
from hubbub.operations.operation import Errors, operation

Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]

NO_ACCOUNT: Final[Errors] = {NotFound: "there is no such account"}
NO_KEY: Final[Errors] = {NotFound: "there is no such key"}
BEYOND: Final[Errors] = {AccessDenied: "the key is somebody else's, or is to do more than your own"}


class NewAccount(Input, frozen=True, kw_only=True):
    email: Email
    display_name: str | None = None
    access_level: AccessLevel = "user"


class AccountRef(Input, frozen=True, kw_only=True):
    id: str


class StatusChange(Input, frozen=True, kw_only=True):
    id: str
    status: AccountStatus


class Listing(Input, frozen=True, kw_only=True):
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class AccountOperations:
    """Who may be answerable for what is done here."""

    namespace = "account"

    @operation()
    async def me(self, ctx: Reading) -> Account:
        """The account whose key this call came with."""
        return await store.account(ctx.tx, ctx.caller.account_id)

    @operation(scope="accounts:write", errors={Conflict: "an account has this address already"})
    async def create(self, ctx: Writing, new: NewAccount) -> Account:
        """Make an account. It can do nothing until it has a key."""
        if await store.account_by_email(ctx.tx, new.email) is not None:
            raise Conflict("an account has this address", email=new.email)
        id = await store.add_account(
            ctx.tx,
            email=new.email,
            display_name=new.display_name,
            access_level=new.access_level,
            status="active",
            now=ctx.now,
        )
        await note(ctx, "account.created", account=id, email=new.email)
        return await store.account(ctx.tx, id)

    @operation(scope="accounts:read", errors=NO_ACCOUNT)
    async def get(self, ctx: Reading, ref: AccountRef) -> Account:
        """One account."""
        return await store.account(ctx.tx, ref.id)

    @operation(scope="accounts:read")
    async def list(self, ctx: Reading, listing: Listing) -> Page[Account]:
        """Accounts in the order of their addresses."""
        (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
        found = await store.account_page(ctx.tx, after, listing.limit + 1)
        return page_of(found, listing.limit, lambda account: (account.email,))

    @operation(
        scope="accounts:write",
        errors={**NO_ACCOUNT, Conflict: "it is your own, and you would be locked out"},
    )
    async def set_status(self, ctx: Writing, change: StatusChange) -> Account:
        """Suspend, deactivate or reactivate an account. Only active ones get in."""
        account = await store.account(ctx.tx, change.id)
        if account.id == ctx.caller.account_id and change.status != "active":
            raise Conflict("nobody can lock themselves out", account=account.id)
        await store.set_status(ctx.tx, account.id, change.status, ctx.now)
        await note(ctx, "account.status", account=account.id, status=change.status)
        ctx.tx.publish(KeyChanged(account_id=account.id, key_id=None))
        return await store.account(ctx.tx, account.id)


class NewKey(Input, frozen=True, kw_only=True):
    name: str | None = None
    scopes: tuple[str, ...] = ()
    resources: dict[str, tuple[str, ...]] = {}
    """`type:id` to the actions granted on it."""
    owner_id: str | None = None
    """Whose key it will be; the caller's own by default."""
    expires_at: Moment | None = None


class KeyRef(Input, frozen=True, kw_only=True):
    id: str


class KeySwitch(Input, frozen=True, kw_only=True):
    id: str
    enabled: bool


class KeyListing(Listing, frozen=True, kw_only=True):
    owner_id: str | None = None


class ShownKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key with its secret. This is the only time that it is shown."""

    key: Key
    secret: str


class KeyOperations:
    """The keys by which accounts get in."""

    namespace = "apiKey"

    @operation(sensitive=True, errors={**NO_ACCOUNT, **BEYOND})
    async def create(self, ctx: Writing, new: NewKey) -> ShownKey:
        """Make a key. Its secret is in the answer and nowhere else, ever.

        It may do no more than your own, for no longer, and is yours; with `accounts:write` it may
        be anybody's, and do anything.
        """
        owner_id = new.owner_id or ctx.caller.account_id
        _check_grant(ctx, owner_id, new.scopes, new.resources)
        new = msgspec.structs.replace(new, expires_at=_bounded(ctx, new.expires_at))
        await store.account(ctx.tx, owner_id)
        made = await _new_key(ctx, owner_id, new)
        scopes = new.scopes
        await note(ctx, "apiKey.created", key=made.key.id, owner=owner_id, scopes=scopes)
        return made

    @operation()
    async def list(self, ctx: Reading, listing: KeyListing) -> Page[Key]:
        """Your keys; with `accounts:read`, anybody's."""
        owner_id = listing.owner_id
        if not ctx.caller.has("accounts:read"):
            owner_id = ctx.caller.account_id
        (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
        found = await store.key_page(ctx.tx, owner_id, after, listing.limit + 1)
        return page_of(found, listing.limit, lambda key: (key.id,))

    @operation(errors={**NO_KEY, **BEYOND})
    async def set_enabled(self, ctx: Writing, switch: KeySwitch) -> Key:
        """Switch a key off, or on again."""
        key = await _own_key(ctx, switch.id)
        if switch.enabled:
            _check_grant(ctx, key.owner_id, key.scopes, key.resources)
        await store.change_key(ctx.tx, key.id, ctx.now, enabled=switch.enabled)
        return await _changed(ctx, key, "apiKey.enabled" if switch.enabled else "apiKey.disabled")

    @operation(errors={**NO_KEY, **BEYOND})
    async def revoke(self, ctx: Writing, ref: KeyRef) -> Key:
        """End a key for good."""
        key = await _own_key(ctx, ref.id)
        if key.revoked_at is None:
            await store.change_key(ctx.tx, key.id, ctx.now, revoked_at=ctx.now)
        return await _changed(ctx, key, "apiKey.revoked")

    @operation(sensitive=True, errors={**NO_KEY, **BEYOND, Conflict: "the key is revoked"})
    async def rotate(self, ctx: Writing, ref: KeyRef) -> ShownKey:
        """Make a key that can do the same, and revoke the old one, which points to it."""
        old = await _own_key(ctx, ref.id)
        if old.revoked_at is not None:
            raise Conflict("the key is revoked", key=old.id)
        _check_grant(ctx, old.owner_id, old.scopes, old.resources)
        new = NewKey(
            name=old.name,
            scopes=old.scopes,
            resources=old.resources,
            expires_at=_bounded(ctx, old.expires_at),
        )
        made = await _new_key(ctx, old.owner_id, new)
        await store.change_key(
            ctx.tx, old.id, ctx.now, rotated_to_id=made.key.id, revoked_at=ctx.now
        )
        await note(
            ctx,
            "apiKey.rotated",
            key=made.key.id,
            replaces=old.id,
            owner=old.owner_id,
            scopes=old.scopes,
        )
        ctx.tx.publish(KeyChanged(account_id=old.owner_id, key_id=old.id))
        return made


class AuditListing(Listing, frozen=True, kw_only=True):
    action: str | None = None
    owner_id: str | None = None


class AuditOperations:
    """The trail of what was done. It can be read, and grows."""

    namespace = "audit"

    @operation(scope="audit:read")
    async def list(self, ctx: Reading, listing: AuditListing) -> Page[AuditEntry]:
        """The trail, newest first."""
        before = None
        if listing.cursor:
            before = decode_moment(listing.cursor)
        found = await store.audit_page(
            ctx.tx,
            action=listing.action,
            owner_id=listing.owner_id,
            before=before,
            limit=listing.limit + 1,
        )
        return page_of(found, listing.limit, lambda e: (e.created_at.isoformat(), e.id))


async def _new_key(ctx: Writing, owner_id: str, new: NewKey) -> ShownKey:
    secret = new_key()
    id = await store.add_key(
        ctx.tx,
        owner_id=owner_id,
        key_hash=hash_of(secret),
        prefix=shown(secret),
        name=new.name,
        scopes=new.scopes,
        resources=new.resources,
        expires_at=new.expires_at,
        now=ctx.now,
    )
    return ShownKey(key=await store.key(ctx.tx, id), secret=secret)


async def _changed(ctx: Writing, key: Key, action: str) -> Key:
    await note(ctx, action, key=key.id, owner=key.owner_id)
    ctx.tx.publish(KeyChanged(account_id=key.owner_id, key_id=key.id))
    return await store.key(ctx.tx, key.id)


async def _own_key(ctx: Writing, id: str) -> Key:
    key = await store.key(ctx.tx, id)
    if key.owner_id != ctx.caller.account_id and not ctx.caller.has("accounts:write"):
        raise AccessDenied("the key is somebody else's", key=id)
    return key


def _check_grant(
    ctx: Writing, owner_id: str, scopes: tuple[str, ...], resources: dict[str, tuple[str, ...]]
) -> None:
    """Nobody gives what they do not have, unless they are in charge of accounts."""
    if ctx.caller.has("accounts:write"):
        return
    if owner_id != ctx.caller.account_id:
        raise AccessDenied("keys for others need accounts:write", owner=owner_id)
    identity = ctx.caller.identity
    assert identity is not None  # account_id said so
    missing = sorted(set(scopes) - identity.scopes)
    beyond = sorted(
        resource
        for resource, actions in resources.items()
        if not set(actions) <= set(identity.resources.get(resource, ()))
    )
    if missing or beyond:
        raise AccessDenied("that is more than your own key may", scopes=missing, resources=beyond)


def _bounded(ctx: Writing, expires_at: datetime | None) -> datetime | None:
    """When a key ends that this caller makes: no later than the caller's own, unless they are in
    charge of accounts."""
    until = ctx.caller.until
    if until is None or ctx.caller.has("accounts:write"):
        return expires_at
    return until if expires_at is None else min(until, expires_at)
