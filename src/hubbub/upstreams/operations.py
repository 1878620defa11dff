"""How the connections to clients stand, for callers."""

from typing import Annotated, Final

import anyio
import msgspec

from hubbub.kernel.errors import Conflict, HubError, NotFound, TimedOut
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Context
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import Errors, operation
from hubbub.protocol.mcp import RpcError
from hubbub.services import access, store
from hubbub.services.model import Client, McpServer
from hubbub.services.secrets import Secrets
from hubbub.upstreams.connections import Connections
from hubbub.upstreams.logs import LogLine, Logs
from hubbub.upstreams.mcp.connecting import connected
from hubbub.upstreams.mcp.greeting import Known
from hubbub.upstreams.mcp.listing import listing
from hubbub.upstreams.oauth.authorizations import Authorizations
from hubbub.upstreams.oauth.challenge import NeedsAuthorization
from hubbub.upstreams.upstream import Left, Status

NO_CLIENT: Final[Errors] = {NotFound: "there is no such client, or none that you may see"}
TRANSIENT: Final = ("UNAVAILABLE", "TIMEOUT", "EXECUTION_ERROR")


class StatusListing(Input, frozen=True, kw_only=True):
    id: str | None = None
    """The id or the name of one client; by default all that you may see."""
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class ClientStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A client, and how the connection to it stands."""

    id: str
    name: str
    type: str
    status: Status
    since: int
    """Epoch milliseconds."""
    error: str | None
    needs_authorization: bool
    """Whether `client.authorize` is what it takes, for all of it or for some calls."""
    attempts: int
    era: str | None
    version: str | None
    server: str | None
    tools: int
    skipped: tuple[Left, ...]
    """Tools that its server lists, and that cannot be offered."""
    sessions: int


class ConnectionRef(Input, frozen=True, kw_only=True):
    id: str
    """The id or the name of a client."""


class Checked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a new connection to a client found."""

    ready: bool
    transient: bool
    """Whether what stands in the way may pass by itself."""
    error: str | None = None
    era: str | None = None
    tools: int = 0
    skipped: tuple[Left, ...] = ()
    log: tuple[LogLine, ...] = ()


class LogQuery(Input, frozen=True, kw_only=True):
    id: str
    """The id or the name of a client."""
    lines: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    lines: list[LogLine]


class ConnectionOperations:
    """The connections that clients are configured for."""

    namespace = "client"

    def __init__(
        self, connections: Connections, secrets: Secrets, authorizations: Authorizations
    ) -> None:
        self._connections = connections
        self._authorizations = authorizations
        self._secrets = secrets

    @operation(scope="clients:read", reads=True, errors=NO_CLIENT)
    async def status(self, ctx: Context, listing: StatusListing) -> Page[ClientStatus]:
        """How the connections to clients stand now."""
        async with ctx.database.reading() as tx:
            if listing.id is not None:
                return Page(items=[self._status(await access.seen(tx, ctx.caller, listing.id))])
            (after,) = decode_cursor(listing.cursor, 1) if listing.cursor else ("",)
            found = await store.page(
                tx,
                seen_by=access.seer(ctx.caller),
                after=after,
                limit=listing.limit + 1,
            )
        page = page_of(found, listing.limit, lambda client: (client.name,))
        items = [self._status(client) for client in page.items]
        return Page(items=items, next_cursor=page.next_cursor)

    @operation(scope="clients:write", errors={**NO_CLIENT, Conflict: "it is no MCP server"})
    async def check(self, ctx: Context, ref: ConnectionRef) -> Checked:
        """Connect to an MCP server anew, beside the connection that stands, and see what it has."""
        async with ctx.database.reading() as tx:
            client = await access.changeable(tx, ctx.caller, ref.id)
        logs = Logs()
        try:
            config = await self._secrets.resolved(client)
            if not isinstance(config, McpServer):
                raise Conflict("only MCP servers are checked so", client=client.id)
            logs.hide((await self._secrets.of(client.id)).values())
            return await self._checked(client, config, logs)
        except (HubError, RpcError) as error:
            if isinstance(error, Conflict):
                raise
            named = isinstance(error, HubError) and error.name in TRANSIENT
            transient = named and not isinstance(error, NeedsAuthorization)
            return Checked(
                ready=False,
                transient=transient,
                error=error.message,
                log=tuple(logs.last(20)),
            )

    @operation(scope="clients:read", reads=True, errors=NO_CLIENT)
    async def logs(self, ctx: Context, query: LogQuery) -> LogLines:
        """What happened to a connection lately, and what its server said of it."""
        async with ctx.database.reading() as tx:
            client = await access.changeable(tx, ctx.caller, query.id)
        return LogLines(lines=self._connections.logs(client).last(query.lines))

    async def _checked(self, client: Client, config: McpServer, logs: Logs) -> Checked:
        try:
            with anyio.fail_after(config.connect_timeout_s * 2):
                authorization = self._authorizations.of(client, config)
                async with connected(
                    client.name, config, lambda *_: None, logs, Known(), authorization
                ) as session:
                    found = await listing(session, client.name, config.access)
                    return Checked(
                        ready=True,
                        transient=False,
                        era=session.greeting.era,
                        tools=len(found.tools),
                        skipped=tuple(Left(name=s.name, reason=s.reason) for s in found.skipped),
                        log=tuple(logs.last(20)),
                    )
        except TimeoutError:
            raise TimedOut(f"{client.name} did not list what it has in time") from None

    def _status(self, client: Client) -> ClientStatus:
        standing = self._connections.standing(client)
        return ClientStatus(
            id=client.id,
            name=client.name,
            type=client.type,
            **{name: getattr(standing, name) for name in standing.__struct_fields__},
        )
