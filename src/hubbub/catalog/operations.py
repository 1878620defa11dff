"""What callers may ask of the catalogue. They see what they may use, and nothing else."""

from collections.abc import Callable, Sequence
from typing import Annotated, Protocol

import msgspec
from anyio.lowlevel import checkpoint

from hubbub.catalog import store
from hubbub.catalog.finder import Finder, Found
from hubbub.catalog.graph import edges
from hubbub.catalog.model import REMOVED
from hubbub.catalog.store import Stored
from hubbub.kernel.errors import Conflict, OperationNotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, decode_score, page_of
from hubbub.operations.access import allowed
from hubbub.operations.context import Caller, Context, Reading
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import operation
from hubbub.protocol.signatures import OperationType
from hubbub.protocol.specs import OperationSpec
from hubbub.search.model import Asked

GRAPH_OPERATIONS_MAX = 200
TEXT_CHARS_MAX = 2000
EDGES_MAX = 10_000


class OperationListing(Input, frozen=True, kw_only=True):
    namespace: str | None = None
    """Only operations in this namespace and below it."""
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class OperationSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An operation in one line."""

    id: str
    type: OperationType
    description: str
    providers: int
    """How many offer it now; the hub's own count as one."""


class Query(Input, frozen=True, kw_only=True):
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    """What is wanted. One that names several things is looked for as a whole and part by part."""
    keywords: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)] = ""
    """More words that should stand in what is found."""
    profile: str | None = None
    """The name of a profile: only what it shows."""
    limit: Limit = 10
    cursor: str | None = None


class OperationHit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A found operation, its rank among the others, and why it was found."""

    id: str
    type: OperationType
    description: str
    score: float
    """From 0 to 1; it compares the hits of one query."""
    matched: tuple[str, ...]
    """The words of the query that its definition has."""
    meaning: float | None
    """How near in meaning it is to the query, up to 1; null where words alone were compared."""


class OperationHits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of what was found. `nextCursor` is null on the last one."""

    items: list[OperationHit]
    next_cursor: str | None = None
    note: str | None = None
    """Why there is nothing, or less than there could be."""


class ModelProgress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a model is with the catalogue."""

    model: str
    embedded: int
    total: int
    serving: bool
    """Whether it is searched by now."""
    problem: str | None
    """Why it gets no further."""


class SearchState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    models: list[ModelProgress]
    """The one that is preferred first; none where words alone are compared."""


class OperationRef(Input, frozen=True, kw_only=True):
    id: str


class GraphQuery(Input, frozen=True, kw_only=True):
    namespace: str | None = None
    compatible_only: bool = True
    limit: Annotated[int, msgspec.Meta(ge=1, le=EDGES_MAX, description="Edges on a page.")] = 1000
    cursor: str | None = None


class GraphEdge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The output of `source` given as the input of `target`."""

    source: str
    target: str
    compatible: bool
    mismatches: tuple[str, ...]


class OperationGraph(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    nodes: list[str]
    edges: list[GraphEdge]
    next_cursor: str | None
    """Where the next edges begin; null with the last ones."""


class Live(Protocol):
    """What of the catalogue is live. It stands above, so it is asked for rather than known."""

    def offered_by_hub(self, operation_id: str) -> bool:
        """Whether it is one of the hub's own."""

    def meant(self, operation_id: str, caller: Caller) -> str:
        """The id of what a caller means, who may have used its provider's own name."""

    async def shown(self, profile: str | None, caller: Caller) -> Callable[[str], bool]:
        """Which operations can be called now: those of a profile, or all."""


class OperationOperations:
    """Which operations there are."""

    namespace = "operation"

    def __init__(self, finder: Finder, live: Live) -> None:
        self._finder = finder
        self._live = live

    @operation()
    async def list(self, ctx: Reading, listing: OperationListing) -> Page[OperationSummary]:
        """The operations that you may call, in the order of their ids."""
        after = decode_cursor(listing.cursor, 2) if listing.cursor else ["", ""]
        found: list[Stored] = []
        while len(found) <= listing.limit:
            part = await store.page(
                ctx.tx,
                namespace=listing.namespace,
                after=(after[0], after[1]),
                limit=listing.limit + 1,
            )
            found.extend(stored for stored in part if visible(stored, ctx.caller))
            if len(part) <= listing.limit:
                break
            after = [part[-1].spec.namespace, part[-1].spec.name]
        page = page_of(found, listing.limit, lambda each: (each.spec.namespace, each.spec.name))
        providers = await store.active_providers(ctx.tx, [stored.row for stored in page.items])
        return Page(
            items=[self._summary(stored, providers) for stored in page.items],
            next_cursor=page.next_cursor,
        )

    @operation(reads=True)
    async def search(self, ctx: Context, query: Query) -> OperationHits:
        """The operations that fit a description best, among those that you may call now."""
        shown = await self._live.shown(query.profile, ctx.caller)
        findings = await self._finder.find(
            Asked(text=query.text, keywords=query.keywords),
            query.limit + 1,
            lambda stored: visible(stored, ctx.caller) and shown(stored.spec.id),
            decode_score(query.cursor) if query.cursor else None,
        )
        page = page_of(
            findings.found, query.limit, lambda each: (repr(each.hit.score), each.hit.id)
        )
        note = findings.note
        if note is None and not page.items and query.cursor is None:
            note = "nothing that you may call has these words, or means something like them"
        return OperationHits(
            items=[_hit(each) for each in page.items], next_cursor=page.next_cursor, note=note
        )

    @operation(reads=True)
    async def search_state(self, ctx: Context) -> SearchState:
        """Which models `operation.search` compares meanings by, and how far each is."""
        return SearchState(
            models=[
                ModelProgress(
                    model=each.model,
                    embedded=each.embedded,
                    total=each.total,
                    serving=each.serving,
                    problem=each.problem,
                )
                for each in await self._finder.progress()
            ]
        )

    @operation()
    async def schema(self, ctx: Reading, ref: OperationRef) -> OperationSpec:
        """All that is known of an operation: its schemas, its errors and who may call it."""
        return (await _visible(ctx, self._live.meant(ref.id, ctx.caller))).spec

    @operation(
        reads=True,
        errors={
            Conflict: "there are too many operations to compare; `maximum` says how many may be"
        },
    )
    async def graph(self, ctx: Context, query: GraphQuery) -> OperationGraph:
        """Which operation's output can be given to which other's input, as far as schemas tell."""
        async with ctx.database.reading() as tx:
            found = await store.page(
                tx, namespace=query.namespace, after=("", ""), limit=GRAPH_OPERATIONS_MAX + 1
            )
        if len(found) > GRAPH_OPERATIONS_MAX:
            raise Conflict(
                "too many operations to compare: name a namespace", maximum=GRAPH_OPERATIONS_MAX
            )
        specs = sorted(
            (stored.spec for stored in found if visible(stored, ctx.caller)),
            key=lambda spec: spec.id,
        )
        after = tuple(decode_cursor(query.cursor, 2)) if query.cursor else ("", "")
        shown = await _edges(specs, after, query)
        page = page_of(shown, query.limit, lambda edge: (edge.source, edge.target))
        return OperationGraph(
            nodes=[spec.id for spec in specs], edges=page.items, next_cursor=page.next_cursor
        )

    def _summary(self, stored: Stored, providers: dict[str, int]) -> OperationSummary:
        spec = stored.spec
        return OperationSummary(
            id=spec.id,
            type=spec.type,
            description=spec.description,
            providers=1 if self._live.offered_by_hub(spec.id) else providers.get(stored.row, 0),
        )


async def _edges(
    specs: Sequence[OperationSpec], after: tuple[str, ...], query: GraphQuery
) -> list[GraphEdge]:
    """The edges of one page, and those of the last source that begin the next."""
    shown: list[GraphEdge] = []
    for source in specs:
        if source.id < after[0]:
            continue
        shown += [
            GraphEdge(
                source=edge.source,
                target=edge.target,
                compatible=edge.fit.compatible,
                mismatches=edge.fit.mismatches,
            )
            for edge in edges(source, specs)
            if (edge.source, edge.target) > after
            and (edge.fit.compatible or not query.compatible_only)
        ]
        if len(shown) > query.limit:
            break
        await checkpoint()  # one comparison is short; forty thousand would keep others waiting
    return shown


def _hit(found: Found) -> OperationHit:
    return OperationHit(
        id=found.stored.spec.id,
        type=found.stored.spec.type,
        description=found.stored.spec.description,
        score=round(found.hit.score, 4),
        matched=found.hit.matched,
        meaning=None if found.hit.meaning is None else round(found.hit.meaning, 4),
    )


def visible(stored: Stored, caller: Caller) -> bool:
    """Whether the caller may call it, and so may know of it."""
    return stored.row != REMOVED and allowed(stored.spec.access_control, caller.identity)


async def _visible(ctx: Reading, operation_id: str) -> Stored:
    stored = await store.get(ctx.tx, operation_id)
    if not visible(stored, ctx.caller):
        raise OperationNotFound(f"no operation {operation_id}", operation=operation_id)
    return stored
