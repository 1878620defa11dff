"""What callers may do with clients."""

from collections.abc import Set
from datetime import datetime
from typing import Annotated, Final

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound
from hubbub.kernel.ids import looks_like_id, new_id
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Context, Reading, Writing
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import operation
from hubbub.protocol.specs import NAME
from hubbub.services import access, configuration, store
from hubbub.services.encryption import Encrypted
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import Client
from hubbub.services.secret_operations import (
    NO_CLIENT,
    NOT_YOURS,
    SecretName,
    SecretValue,
    check_keys,
    check_room,
)
from hubbub.services.secrets import Secrets
from hubbub.storage.transaction import WriteTransaction

CLIENTS_MAX: Final = 10_000

ClientName = Annotated[str, msgspec.Meta(pattern=NAME, max_length=64)]
ClientType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]


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
        check_name(new.name, self._reserved)
        config = configuration.checked(new.type, new.config)
        check_room(len(new.secrets))
        check_keys(new.secrets)
        id = new_id()
        values = await self._secrets.encrypted(id, new.secrets)

        async def work(tx: WriteTransaction) -> Client:
            writing = ctx.writing(tx)
            await check_new(writing, new)
            return await created(writing, id, new, config, values)

        return view(await ctx.database.write(work))

    @operation(scope="clients:read", errors=NO_CLIENT)
    async def get(self, ctx: Reading, ref: ClientRef) -> ClientView:
        """One client."""
        return view(await access.seen(ctx.tx, ctx.caller, ref.client))

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
        return Page(items=[view(each) for each in page.items], next_cursor=page.next_cursor)

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
        return view(await store.get(ctx.tx, client.id))

    @operation(scope="clients:write", errors=NOT_YOURS)
    async def remove(self, ctx: Writing, ref: ClientRef) -> None:
        """Forget a client and its secrets."""
        client = await access.changeable(ctx.tx, ctx.caller, ref.client)
        await store.remove(ctx.tx, client.id)
        await note(ctx, "client.removed", client=client.id, name=client.name)
        ctx.tx.publish(ClientRemoved(client_id=client.id, name=client.name))


def check_name(name: str, reserved: Set[str]) -> None:
    """See that a client may have this name, which is the namespace of its operations."""
    if name in reserved:
        raise _invalid("name", f"not one of the hub's own: {name}")
    if looks_like_id(name):
        raise _invalid("name", "something that does not look like an id")


async def check_new(ctx: Writing, new: NewClient) -> None:
    """See that there may be such a client.

    Raises:
        Conflict, NotFound, AccessDenied: if not.
    """
    if await store.by_name(ctx.tx, new.name) is not None:
        raise Conflict("a client has this name", name=new.name)
    if await store.count(ctx.tx) >= CLIENTS_MAX:
        raise Conflict("there are too many clients", maximum=CLIENTS_MAX)
    if new.org_id is not None:
        await access.check_organization(ctx.tx, ctx.caller, new.org_id)


async def created(
    ctx: Writing, id: str, new: NewClient, config: msgspec.Raw, values: dict[str, Encrypted]
) -> Client:
    """The client, as it is from this transaction on."""
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


def view(client: Client) -> ClientView:
    """A client as it is shown."""
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
