"""What callers may ask of MCP servers: those that can be had, and those that run."""

from typing import Annotated, Final

import msgspec

from hubbub.kernel.errors import Busy, Conflict, Invalid, NotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, decode_score, page_of
from hubbub.mcpservers import registry_store, tool_store, workload_store
from hubbub.mcpservers.finder import Finder, Found
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import (
    BY_HAND,
    RegistryServer,
    Status,
    Transport,
    WorkloadWithRegistry,
)
from hubbub.mcpservers.polling import Poller
from hubbub.mcpservers.snapshots import (
    DESCRIPTION_CHARS_MAX,
    NAME_CHARS_MAX,
    RegistryEntry,
    RegistrySnapshot,
    fit,
    tools_of,
)
from hubbub.mcpservers.texts import text_of
from hubbub.mcpservers.views import (
    Changed,
    Hits,
    RegistryHit,
    RegistryServerDetails,
    RegistryServerView,
    RegistryStatus,
    SourceState,
    WorkloadDetails,
    WorkloadStatus,
    WorkloadToolHit,
    WorkloadView,
    changed,
    server_view,
    source_state,
    tool_views,
    workload_view,
)
from hubbub.operations.context import Context, Reading
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import Errors, operation

REGISTRY_READ: Final = "registry:read"
REGISTRY_WRITE: Final = "registry:write"
WORKLOADS_READ: Final = "workloads:read"
WORKLOADS_WRITE: Final = "workloads:write"

NO_SERVER: Final[Errors] = {NotFound: "there is no such server"}
NO_WORKLOAD: Final[Errors] = {NotFound: "there is no such workload"}
NO_SOURCE: Final[Errors] = {NotFound: "there is no such source"}

TEXT_CHARS_MAX: Final = 2_000
REMATCHED_MAX: Final = 10_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]


class RegistryListing(Input, frozen=True, kw_only=True):
    group: str | None = None
    remote: bool | None = None
    """Only servers that are reached by a URL, or only those made from a package."""
    source: str | None = None
    """Only what this source says; `hand` is what was added by `registry.add`."""
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class ServerRef(Input, frozen=True, kw_only=True):
    id: str


class RegistryQuery(Input, frozen=True, kw_only=True):
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    groups: tuple[str, ...] = ()
    """Only servers of these groups; all by default."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100, description="Servers to find.")] = 10


class NewServer(Input, frozen=True, kw_only=True):
    name: Name
    url: str | None = None
    """Of a server that is reached by a URL."""
    package: str | None = None
    """Of any other: an image, or `npm:` or `pypi:` and a name."""
    transport: Transport | None = None
    """By default streamable HTTP for a URL, stdio for a package."""
    description: Annotated[str, msgspec.Meta(max_length=DESCRIPTION_CHARS_MAX)] | None = None
    group: Name = "default"
    tools: tuple[dict[str, object], ...] = ()
    """As the server itself lists them."""


class SourceRef(Input, frozen=True, kw_only=True):
    source: str


class WorkloadListing(Input, frozen=True, kw_only=True):
    group: str | None = None
    status: Status | None = None
    linked: bool | None = None
    """Only those that are linked to a registry server, or only those that are not."""
    source: str | None = None
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class WorkloadRef(Input, frozen=True, kw_only=True):
    id: str
    """Its id or its name."""


class Rematching(Input, frozen=True, kw_only=True):
    id: str | None = None
    """The id or the name of one workload; all by default."""


class ToolQuery(Input, frozen=True, kw_only=True):
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    groups: tuple[str, ...] = ()
    """Only tools of workloads of these groups; all by default."""
    limit: Limit = 10
    cursor: str | None = None


class RegistryOperations:
    """MCP servers that can be had."""

    namespace = "registry"

    def __init__(self, ingestion: Ingestion, poller: Poller, finder: Finder) -> None:
        self._ingestion = ingestion
        self._poller = poller
        self._finder = finder

    @operation(scope=REGISTRY_READ)
    async def list(self, ctx: Reading, listing: RegistryListing) -> Page[RegistryServerView]:
        """MCP servers that can be had, in the order of their names."""
        name, id = decode_cursor(listing.cursor, 2) if listing.cursor else ("", "")
        found = await registry_store.page(
            ctx.tx,
            group=listing.group,
            remote=listing.remote,
            source=listing.source,
            after=(name, id),
            limit=listing.limit + 1,
        )
        page = page_of(found, listing.limit, lambda each: (each.name, each.id))
        return Page(items=[server_view(each) for each in page.items], next_cursor=page.next_cursor)

    @operation(scope=REGISTRY_READ, errors=NO_SERVER)
    async def get(self, ctx: Reading, ref: ServerRef) -> RegistryServerDetails:
        """A server that can be had, with its tools and what is needed to install it."""
        server = await registry_store.get(ctx.tx, ref.id)
        tools = await tool_store.of_server(ctx.tx, "registry", server.id)
        linked = await workload_store.linked_to(ctx.tx, [server.id])
        return RegistryServerDetails(
            **msgspec.structs.asdict(server_view(server)),
            definition=server.definition,
            tools=tool_views(tools),
            workloads=sorted(each.workload_name for each in linked),
        )

    @operation(scope=REGISTRY_READ, reads=True)
    async def search(self, ctx: Context, query: RegistryQuery) -> Hits:
        """The servers that fit a description best, by what they say of themselves and of their
        tools."""
        groups = frozenset(query.groups)
        found = await self._finder.servers(
            query.text, query.limit, lambda server: not groups or server.group in groups
        )
        items = [self._hit(each) for each in found]
        return Hits(items=items, note=None if items else await self._nothing(ctx))

    @operation(scope=REGISTRY_READ)
    async def status(self, ctx: Reading) -> RegistryStatus:
        """Where registry servers come from, and how that goes."""
        return RegistryStatus(
            sources=[source_state(each) for each in self._poller.states("registry")]
        )

    @operation(scope=REGISTRY_WRITE, errors=NO_SOURCE)
    async def refresh(self, ctx: Context, ref: SourceRef) -> SourceState:
        """Ask a source now."""
        return source_state(await self._poller.refresh(ref.source))

    @operation(
        scope=REGISTRY_WRITE,
        errors={Conflict: "another server is known by the same URL or package; both are named"},
    )
    async def add(self, ctx: Context, new: NewServer) -> RegistryServerView:
        """Add a server by hand. It stays until it is removed by hand."""
        identity = _identity(new)
        tools, refused = tools_of(new.tools)
        if refused:
            raise Invalid(refused[0], errors=[{"field": "tools", "expected": refused[0]}])
        entry = RegistryEntry(
            name=new.name,
            identity=identity,
            transport=new.transport or ("streamable-http" if identity.remote else "stdio"),
            description=new.description,
            group=new.group,
            definition=_definition(new),
            tools=tools,
        )
        fit(entry)
        async with ctx.database.reading() as tx:
            there = await registry_store.by_identity(tx, identity)
        if there is not None:
            raise registry_store.duplicate(identity, there.name, new.name, id=there.id)
        await self._ingestion.registry(
            RegistrySnapshot(source=BY_HAND, servers=(entry,), complete=False, whole=False)
        )
        async with ctx.database.reading() as tx:
            added = await registry_store.by_identity(tx, identity)
        if added is None:
            raise Busy("the server was removed as soon as it was there", retryAfterMs=1000)
        if added.source != BY_HAND:
            raise registry_store.duplicate(identity, added.name, new.name, id=added.id)
        return server_view(added)

    @operation(
        scope=REGISTRY_WRITE,
        errors={**NO_SERVER, Conflict: "a source says so, and would say so again"},
    )
    async def remove(self, ctx: Context, ref: ServerRef) -> Changed:
        """Delete a server that was added by hand. Workloads that are linked to it stand alone."""
        async with ctx.database.reading() as tx:
            server = await registry_store.get(tx, ref.id)
        if server.source != BY_HAND:
            raise Conflict(f"{server.source} says that it is there", source=server.source)
        return changed(await self._ingestion.remove_server(ref.id))

    def _hit(self, found: Found[RegistryServer]) -> RegistryHit:
        tool = None if found.tool is None else self._finder.tool("registry", found.tool).name
        return RegistryHit(
            server=server_view(found.server),
            score=round(found.hit.score, 4),
            matched=found.hit.matched,
            tool=tool,
        )

    async def _nothing(self, ctx: Context) -> str:
        async with ctx.database.reading() as tx:
            some = await registry_store.page(tx, limit=1)
        if some:
            return "no server fits"
        states = self._poller.states("registry")
        failing = [state for state in states if state.error]
        if failing:
            return f"no servers are known: {failing[0].name}: {failing[0].error}"
        return "no servers are known yet" if states else "there is no source of servers"


class WorkloadOperations:
    """MCP servers that run."""

    namespace = "workload"

    def __init__(self, ingestion: Ingestion, poller: Poller, finder: Finder) -> None:
        self._ingestion = ingestion
        self._poller = poller
        self._finder = finder

    @operation(scope=WORKLOADS_READ)
    async def list(self, ctx: Reading, listing: WorkloadListing) -> Page[WorkloadView]:
        """MCP servers that run, or did, in the order of their names."""
        name, id = decode_cursor(listing.cursor, 2) if listing.cursor else ("", "")
        found = await workload_store.page(
            ctx.tx,
            group=listing.group,
            status=listing.status,
            linked=listing.linked,
            source=listing.source,
            after=(name, id),
            limit=listing.limit + 1,
        )
        page = page_of(found, listing.limit, lambda each: (each.workload_name, each.id))
        joined = await workload_store.with_registry(ctx.tx, page.items)
        return Page(items=[workload_view(each) for each in joined], next_cursor=page.next_cursor)

    @operation(scope=WORKLOADS_READ, errors=NO_WORKLOAD)
    async def get(self, ctx: Reading, ref: WorkloadRef) -> WorkloadDetails:
        """A workload with its tools."""
        workload = await workload_store.find(ctx.tx, ref.id)
        (joined,) = await workload_store.with_registry(ctx.tx, [workload])
        tools = await tool_store.of_server(ctx.tx, "workload", workload.id)
        return WorkloadDetails(
            **msgspec.structs.asdict(workload_view(joined)), tools=tool_views(tools)
        )

    @operation(scope=WORKLOADS_READ, reads=True)
    async def search(self, ctx: Context, query: ToolQuery) -> Page[WorkloadToolHit]:
        """The tools of running workloads that fit a description best."""
        groups = frozenset(query.groups)
        found = await self._finder.tools(
            query.text,
            query.limit + 1,
            lambda each: not groups or each.workload.group in groups,
            decode_score(query.cursor) if query.cursor else None,
        )
        page = page_of(found, query.limit, lambda each: (repr(each.hit.score), each.hit.id))
        return Page(items=[self._hit(each) for each in page.items], next_cursor=page.next_cursor)

    @operation(scope=WORKLOADS_READ)
    async def status(self, ctx: Reading) -> WorkloadStatus:
        """Where workloads come from, how that goes, and how many there are."""
        return WorkloadStatus(
            sources=[source_state(each) for each in self._poller.states("workload")],
            statuses=await workload_store.counts(ctx.tx),
        )

    @operation(scope=WORKLOADS_WRITE, errors=NO_SOURCE)
    async def refresh(self, ctx: Context, ref: SourceRef) -> SourceState:
        """Ask a source now."""
        return source_state(await self._poller.refresh(ref.source))

    @operation(scope=WORKLOADS_WRITE, errors=NO_WORKLOAD)
    async def rematch(self, ctx: Context, which: Rematching) -> Changed:
        """Judge again which registry servers workloads are made from. By itself that happens only
        when one is new, or is known by another URL or package than before."""
        async with ctx.database.reading() as tx:
            if which.id is not None:
                ids = [(await workload_store.find(tx, which.id)).id]
            else:
                ids = await workload_store.ids(tx, REMATCHED_MAX)
        return changed(await self._ingestion.rematch(ids))

    def _hit(self, found: Found[WorkloadWithRegistry]) -> WorkloadToolHit:
        tool = self._finder.tool("workload", found.hit.id)
        return WorkloadToolHit(
            workload=found.server.workload.workload_name,
            server=found.server.server_name_for_tools,
            tool=tool.name,
            description=text_of(tool.details.get("description")),
            group=found.server.workload.group,
            score=round(found.hit.score, 4),
            matched=found.hit.matched,
        )


def _identity(new: NewServer) -> Identity:
    if (new.url is None) == (new.package is None):
        expected = "a url or a package, and not both"
        raise Invalid(
            f"the server needs {expected}", errors=[{"field": "url", "expected": expected}]
        )
    return Identity(remote=new.url is not None, url=new.url, package=new.package)


def _definition(new: NewServer) -> dict[str, object]:
    server: dict[str, object] = {
        "name": new.name,
        "title": new.name,
        "description": new.description or "",
        "version": "latest",
    }
    if new.url is not None:
        return {
            **server,
            "remotes": [{"type": new.transport or "streamable-http", "url": new.url}],
        }
    kind, colon, name = (new.package or "").partition(":")
    known = bool(colon) and kind in ("npm", "pypi", "nuget")
    package = {
        "registryType": kind if known else "oci",
        "identifier": name if known else new.package,
        "transport": {"type": new.transport or "stdio"},
    }
    return {**server, "packages": [package]}
