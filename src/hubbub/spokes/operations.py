"""What spokes tell the hub, and what callers may ask about them."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from hubbub.catalog import store as catalog
from hubbub.identity.trail import note
from hubbub.kernel.errors import Conflict, NotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Context, Peer, Reading, Writing
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import Errors, operation
from hubbub.protocol.specs import HostInfo, Registration, RegistrationResult, SpokeType
from hubbub.spokes import store
from hubbub.spokes.presence import SPOKE, Presence
from hubbub.storage.statements import Row

NO_SPOKE: Final[Errors] = {NotFound: "there is no such spoke, or none that you may see"}


class HubOperations:
    """What a spoke tells over its own connection."""

    namespace = "hub"

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    @operation(
        scope="spokes:connect",
        errors={
            NotFound: "no spoke of yours has the `spokeId`",
            Conflict: "a shared operation has another contract elsewhere, or no connection stands",
        },
    )
    async def register(self, ctx: Context, told: Registration) -> RegistrationResult:
        """Offer operations over this connection, in place of all that it offered before."""
        return await self._presence.register(ctx.caller.account_id, _peer(ctx), told)

    @operation(
        scope="spokes:connect", errors={Conflict: "no spoke has registered over this connection"}
    )
    async def drain(self, ctx: Context) -> None:
        """Ask for no more calls over this connection. Those in flight may be finished."""
        self._presence.drain(_peer(ctx))


class SpokeListing(Input, frozen=True, kw_only=True):
    status: Literal["connected", "disconnected"] | None = None
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class SpokeRef(Input, frozen=True, kw_only=True):
    id: str


class SpokeView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A machine that offers operations, or did."""

    id: str
    name: str
    status: Literal["connected", "disconnected"]
    spoke_type: SpokeType
    project_id: str | None
    account_id: str | None
    host_info: HostInfo
    connected_at: datetime | None
    disconnected_at: datetime | None
    last_heartbeat: datetime | None


class SpokeOperations:
    """The machines that offer operations."""

    namespace = "spoke"

    @operation()
    async def list(self, ctx: Reading, listing: SpokeListing) -> Page[SpokeView]:
        """Your spokes, connected or not; with `spokes:read`, everybody's."""
        (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
        found = await store.page(
            ctx.tx,
            account_id=_only(ctx),
            status=listing.status,
            after=after,
            limit=listing.limit + 1,
        )
        page = page_of(found, listing.limit, lambda row: (row.id,))
        return Page(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)

    @operation(errors=NO_SPOKE)
    async def get(self, ctx: Reading, ref: SpokeRef) -> SpokeView:
        """One spoke."""
        spoke = _view(await store.get(ctx.tx, ref.id))
        if _only(ctx) not in (None, spoke.account_id):
            raise NotFound(f"no spoke {ref.id}", spoke=ref.id)
        return spoke

    @operation(scope="spokes:write", errors={**NO_SPOKE, Conflict: "the spoke is connected"})
    async def remove(self, ctx: Writing, ref: SpokeRef) -> None:
        """Forget a spoke that is not connected, and with it its registrations."""
        row = await store.get(ctx.tx, ref.id)
        if row.status == "connected":
            raise Conflict("the spoke is connected", spoke=row.id)
        await catalog.forget_provider(ctx.tx, SPOKE, row.id)
        await store.remove(ctx.tx, row.id)
        await note(ctx, "spoke.removed", spoke=row.id, name=row.name)


def _only(ctx: Reading) -> str | None:
    """Whose spokes the caller may see: None for everybody's."""
    return None if ctx.caller.has("spokes:read") else ctx.caller.account_id


def _peer(ctx: Context) -> Peer:
    if ctx.caller.peer is None:
        raise Conflict("this needs a connection of its own: call it over WebSocket")
    return ctx.caller.peer


def _view(row: Row) -> SpokeView:
    return SpokeView(
        id=row.id,
        name=row.name,
        status=row.status,
        spoke_type=row.spoke_type,
        project_id=row.project_id,
        account_id=(row.metadata or {}).get("accountId"),
        host_info=msgspec.convert(row.host_info or {}, type=HostInfo),
        connected_at=row.connected_at,
        disconnected_at=row.disconnected_at,
        last_heartbeat=row.last_heartbeat,
    )
