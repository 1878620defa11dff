"""What callers may do with clients and their secrets. No answer holds a secret."""

from collections.abc import Iterable, Set
from datetime import datetime
from typing import Annotated, Final

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound
from hubbub.kernel.ids import looks_like_id, new_id
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Context, Reading, Writing
from hubbub.operations.inputs import Input, Limit, Moment
from hubbub.operations.operation import Errors, operation
from hubbub.protocol.specs import NAME
from hubbub.services import access, configuration, store
from hubbub.services.encryption import Encrypted
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import Client
from hubbub.services.references import OWN, SECRET_NAME
from hubbub.services.secrets import Secrets
from hubbub.storage.transaction import WriteTransaction

CLIENTS_MAX: Final = 10_000
SECRETS_MAX: Final = 64

ClientName = Annotated[str, msgspec.Meta(pattern=NAME, max_length=64)]
ClientType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
SecretName = Annotated[str, msgspec.Meta(pattern=SECRET_NAME, max_length=128)]
SecretValue = Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]

NO_CLIENT: Final[Errors] = {NotFound: "there is no such client, or none that you may see"}
NOT_YOURS: Final[Errors] = {**NO_CLIENT, AccessDenied: "the client is somebody else's"}
NO_SECRET: Final[Errors] = {
    NotFound: "there is no such client that you may see, or no such secret",
    AccessDenied: "the client is somebody else's",
}


class NewClient(Input, frozen=True, kw_only=True):
    name: ClientName
    """The namespace of its operations. It cannot be changed."""
    type: ClientType
    """`mcp-server` or `http-api`; the hub connects to no others."""
    config: dict[str, object]
    """As its type wants it. `${secret:NAME}` in a text stands for a secret."""
    secrets: dict[SecretName, SecretValue] = {}
    enabled: bool = True
    org_id: str | None = None


class ClientRef(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""


class ClientListing(Input, frozen=True, kw_only=True):
    type: str | None = None
    enabled: bool | None = None
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class ClientChange(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""
    config: dict[str, object] | None = None
    """In place of all of the old one."""
    enabled: bool | None = None


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


class ClientView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A service that the hub connects to. Its secrets are not shown."""

    id: str
    name: str
    type: str
    config: dict[str, object]
    enabled: bool
    owner_id: str
    org_id: str | None
    created_at: datetime
    updated_at: datetime


class SecretView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """That there is a secret. Its value is never shown."""

    key: str
    expires_at: datetime | None
    updated_at: datetime


class ClientOperations:
    """The services that the hub connects to, and the secrets that they ask for."""

    namespace = "client"

    def __init__(self, secrets: Secrets, reserved: Set[str]) -> None:
        self._secrets = secrets
        self._reserved = reserved  # first segments of the hub's own namespaces

    @operation(
        scope="clients:write",
        sensitive=True,
        errors={
            Conflict: "the name is taken, or there are too many clients",
            NotFound: "there is no such organization, or none that you may see",
            AccessDenied: "you do not administer the organization",
        },
    )
    async def create(self, ctx: Context, new: NewClient) -> ClientView:
        """Name a service for the hub to connect to. A `stdio` server is a program that the hub
        runs, as its own user.

        The config holds secrets by reference only; the secrets themselves are stored encrypted.
        """
        self._check_name(new.name)
        config = configuration.checked(new.type, new.config)
        _check_room(len(new.secrets))
        _check_keys(new.secrets)
        id = new_id()
        values = await self._secrets.encrypted(id, new.secrets)

        async def work(tx: WriteTransaction) -> Client:
            writing = _writing(ctx, tx)
            await _check_new(writing, new)
            return await _created(writing, id, new, config, values)

        return _view(await ctx.database.write(work))

    @operation(scope="clients:read", errors=NO_CLIENT)
    async def get(self, ctx: Reading, ref: ClientRef) -> ClientView:
        """One client."""
        return _view(await access.seen(ctx.tx, ctx.caller, ref.client))

    @operation(scope="clients:read")
    async def list(self, ctx: Reading, listing: ClientListing) -> Page[ClientView]:
        """Your clients and those of your organizations, by name; with `accounts:read`, all."""
        (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
        found = await store.page(
            ctx.tx,
            seen_by=access.seer(ctx.caller),
            type=listing.type,
            enabled=listing.enabled,
            after=after,
            limit=listing.limit + 1,
        )
        page = page_of(found, listing.limit, lambda client: (client.name,))
        return Page(items=[_view(each) for each in page.items], next_cursor=page.next_cursor)

    # What is refused for holding a secret in clear must not be kept by the call graph either.
    @operation(scope="clients:write", sensitive=True, errors=NOT_YOURS)
    async def update(self, ctx: Writing, change: ClientChange) -> ClientView:
        """Give a client another config, or switch it off or on.

        Its name stays: definitions, access rules and records go by it. For another name, remove
        the client and create it anew.
        """
        client = await access.changeable(ctx.tx, ctx.caller, change.client)
        values: dict[str, object] = {}
        if change.config is not None:
            values["config"] = configuration.checked(client.type, change.config)
        if change.enabled is not None:
            values["enabled"] = change.enabled
        if values:
            await store.change(ctx.tx, client.id, ctx.now, **values)
            await note(
                ctx, "client.updated", client=client.id, name=client.name, changed=sorted(values)
            )
            ctx.tx.publish(ClientChanged(client_id=client.id))
        return _view(await store.get(ctx.tx, client.id))

    @operation(scope="clients:write", errors=NOT_YOURS)
    async def remove(self, ctx: Writing, ref: ClientRef) -> None:
        """Forget a client and its secrets."""
        client = await access.changeable(ctx.tx, ctx.caller, ref.client)
        await store.remove(ctx.tx, client.id)
        await note(ctx, "client.removed", client=client.id, name=client.name)
        ctx.tx.publish(ClientRemoved(client_id=client.id, name=client.name))

    @operation(
        scope="clients:write",
        sensitive=True,
        errors={**NOT_YOURS, Conflict: "the client has too many secrets"},
    )
    async def set_secret(self, ctx: Context, setting: SecretSetting) -> SecretView:
        """Store a secret of a client, in place of any other with this key."""
        _check_keys([setting.key])
        async with ctx.database.reading() as reading:
            client = await access.changeable(reading, ctx.caller, setting.client)
        values = await self._secrets.encrypted(client.id, {setting.key: setting.value})

        async def work(tx: WriteTransaction) -> None:
            # By its id: the name may be another's by now.
            await access.changeable(tx, ctx.caller, client.id)
            known = {each.name for each in await store.secrets(tx, client.id)}
            _check_room(len(known | {setting.key}))
            await store.put_secret(
                tx, client.id, setting.key, values[setting.key], setting.expires_at, ctx.now
            )
            await _secret_changed(_writing(ctx, tx), client, "client.secretSet", setting.key)

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

    def _check_name(self, name: str) -> None:
        if name in self._reserved:
            raise _invalid("name", f"not one of the hub's own: {name}")
        if looks_like_id(name):
            raise _invalid("name", "something that does not look like an id")


async def _check_new(ctx: Writing, new: NewClient) -> None:
    if await store.by_name(ctx.tx, new.name) is not None:
        raise Conflict("a client has this name", name=new.name)
    if await store.count(ctx.tx) >= CLIENTS_MAX:
        raise Conflict("there are too many clients", maximum=CLIENTS_MAX)
    if new.org_id is not None:
        await access.check_organization(ctx.tx, ctx.caller, new.org_id)


async def _created(
    ctx: Writing, id: str, new: NewClient, config: msgspec.Raw, values: dict[str, Encrypted]
) -> Client:
    await store.add(
        ctx.tx,
        id=id,
        name=new.name,
        type=new.type,
        config=config,
        enabled=new.enabled,
        owner_id=ctx.caller.account_id,
        org_id=new.org_id,
        now=ctx.now,
    )
    for name, value in values.items():
        await store.put_secret(ctx.tx, id, name, value, None, ctx.now)
    await note(
        ctx, "client.created", client=id, name=new.name, type=new.type, secrets=sorted(values)
    )
    ctx.tx.publish(ClientChanged(client_id=id))
    return await store.get(ctx.tx, id)


async def _secret_changed(ctx: Writing, client: Client, action: str, key: str) -> None:
    await note(ctx, action, client=client.id, name=client.name, secret=key)
    ctx.tx.publish(ClientChanged(client_id=client.id))


def _writing(ctx: Context, tx: WriteTransaction) -> Writing:
    """The same call, in the transaction in which what it waited for is written."""
    return Writing(caller=ctx.caller, call_id=ctx.call_id, now=ctx.now, tx=tx)


def _check_room(secrets: int) -> None:
    if secrets > SECRETS_MAX:
        raise Conflict("a client has no room for more secrets", maximum=SECRETS_MAX)


def _check_keys(keys: Iterable[str]) -> None:
    for key in keys:
        if key.startswith(OWN):
            raise _invalid("key", f"a name that does not begin with {OWN}: such are the hub's own")


def _view(client: Client) -> ClientView:
    return ClientView(
        id=client.id,
        name=client.name,
        type=client.type,
        config=msgspec.json.decode(client.config, type=dict[str, object]),
        enabled=client.enabled,
        owner_id=client.owner_id,
        org_id=client.org_id,
        created_at=client.created_at,
        updated_at=client.updated_at,
    )


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("the client cannot have this", errors=[{"field": field, "expected": expected}])
