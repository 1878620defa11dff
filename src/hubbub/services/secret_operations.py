"""What callers may do with the secrets of clients. No answer holds one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Context, Reading, Writing
from hubbub.operations.inputs import Input, Limit, Moment
from hubbub.operations.operation import Errors, operation
from hubbub.services import access, store
from hubbub.services.events import ClientChanged
from hubbub.services.model import Client, Secret
from hubbub.services.references import OWN, SECRET_NAME
from hubbub.services.secrets import Secrets
from hubbub.storage.transaction import WriteTransaction

SECRETS_MAX: Final = 64
# Each takes two derivations, and a call is to end within its deadline.
REENCRYPTED_MAX: Final = 200

SecretName = Annotated[str, msgspec.Meta(pattern=SECRET_NAME, max_length=128)]
SecretValue = Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]

NO_CLIENT: Final[Errors] = {NotFound: "there is no such client, or none that you may see"}
NOT_YOURS: Final[Errors] = {**NO_CLIENT, AccessDenied: "the client is somebody else's"}
NO_SECRET: Final[Errors] = {
    NotFound: "there is no such client that you may see, or no such secret",
    AccessDenied: "the client is somebody else's",
}


class SecretSetting(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""
    key: SecretName
    value: SecretValue
    expires_at: Moment | None = None


class SecretRef(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""
    key: str


class SecretListing(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class Reencryption(Input, frozen=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=REENCRYPTED_MAX, description="Secrets.")] = 50
    cursor: str | None = None


class SecretView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """That there is a secret. Its value is never shown."""

    key: str
    expires_at: datetime | None
    updated_at: datetime


class LostSecret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A secret that cannot be decrypted. It is kept as it is."""

    client: str
    key: str
    key_version: int | None
    """Of the key that it needs; null where what is stored says none."""


class Reencrypted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one batch of secrets."""

    examined: int
    reencrypted: int
    lost: list[LostSecret]
    next_cursor: str | None
    """Where the next batch begins; null after the last one."""


class SecretOperations:
    """The secrets that clients ask for."""

    namespace = "client"

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    @operation(
        scope="clients:write",
        sensitive=True,
        errors={**NOT_YOURS, Conflict: "the client has too many secrets"},
    )
    async def set_secret(self, ctx: Context, setting: SecretSetting) -> SecretView:
        """Store a secret of a client, in place of any other with this key."""
        check_keys([setting.key])
        async with ctx.database.reading() as reading:
            client = await access.changeable(reading, ctx.caller, setting.client)
        values = await self._secrets.encrypted(client.id, {setting.key: setting.value})

        async def work(tx: WriteTransaction) -> None:
            # By its id: the name may be another's by now.
            await access.changeable(tx, ctx.caller, client.id)
            known = {each.name for each in await store.secrets(tx, client.id)}
            check_room(len(known | {setting.key}))
            await store.put_secret(
                tx, client.id, setting.key, values[setting.key], setting.expires_at, ctx.now
            )
            await _secret_changed(ctx.writing(tx), client, "client.secretSet", setting.key)

        await ctx.database.write(work)
        return SecretView(key=setting.key, expires_at=setting.expires_at, updated_at=ctx.now)

    @operation(scope="clients:write", errors=NO_SECRET)
    async def remove_secret(self, ctx: Writing, ref: SecretRef) -> None:
        """Forget a secret of a client."""
        client = await access.changeable(ctx.tx, ctx.caller, ref.client)
        if not await store.remove_secret(ctx.tx, client.id, ref.key):
            raise NotFound(f"no secret {ref.key}", client=client.id, secret=ref.key)
        await _secret_changed(ctx, client, "client.secretRemoved", ref.key)

    @operation(scope="clients:read", errors=NO_CLIENT)
    async def list_secrets(self, ctx: Reading, listing: SecretListing) -> Page[SecretView]:
        """Which secrets a client has, by key, and until when they are good."""
        client = await access.seen(ctx.tx, ctx.caller, listing.client)
        (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
        # There are few: the page is cut from all of them.
        secrets = sorted(await store.secrets(ctx.tx, client.id), key=lambda each: each.name)
        found = [
            SecretView(key=each.name, expires_at=each.expires_at, updated_at=each.updated_at)
            for each in secrets
            if each.name > after
        ]
        return page_of(found, listing.limit, lambda each: (each.key,))

    @operation(
        scope="clients:write",
        errors={AccessDenied: "you are not in charge: it needs accounts:write"},
    )
    async def reencrypt(self, ctx: Context, batch: Reencryption) -> Reencrypted:
        """Encrypt with the current key, batch by batch, the secrets of all clients that are under
        older ones. After the last batch, with nothing lost, older keys are needed no more."""
        if not ctx.caller.has("accounts:write"):
            raise AccessDenied("that concerns the secrets of everybody", required="accounts:write")
        (after,) = decode_cursor(batch.cursor, 1) if batch.cursor else ("",)
        async with ctx.database.reading() as tx:
            found = await store.secrets_after(tx, after, batch.limit + 1)
        page = page_of(found, batch.limit, lambda secret: (secret.id,))
        renewal = await self._secrets.renew(page.items)
        return Reencrypted(
            examined=len(page.items),
            reencrypted=renewal.renewed,
            lost=[_lost(each) for each in renewal.lost],
            next_cursor=page.next_cursor,
        )


async def _secret_changed(ctx: Writing, client: Client, action: str, key: str) -> None:
    await note(ctx, action, client=client.id, name=client.name, secret=key)
    ctx.tx.publish(ClientChanged(client_id=client.id))


def check_room(secrets: int) -> None:
    """See that a client may have so many.

    Raises:
        Conflict: if it may not.
    """
    if secrets > SECRETS_MAX:
        raise Conflict("a client has no room for more secrets", maximum=SECRETS_MAX)


def check_keys(keys: Iterable[str]) -> None:
    """See that none of these secrets is the hub's own.

    Raises:
        Invalid: one is.
    """
    for key in keys:
        if key.startswith(OWN):
            expected = f"a name that does not begin with {OWN}: such are the hub's own"
            raise Invalid("this is no client's", errors=[{"field": "key", "expected": expected}])


def _lost(secret: Secret) -> LostSecret:
    version = None if secret.value is None else secret.value.key_version
    return LostSecret(client=secret.client_id, key=secret.name, key_version=version)
