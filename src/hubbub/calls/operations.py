"""What callers may do with calls: run one, see theirs, stop one."""

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Raw

from hubbub.calls import store
from hubbub.calls.model import Cancel
from hubbub.calls.router import Router
from hubbub.calls.watch import CallEvent, Watch
from hubbub.catalog import store as catalog_store
from hubbub.catalog.events import OperationsRemoved
from hubbub.catalog.model import REMOVED
from hubbub.identity.trail import note
from hubbub.kernel.errors import Conflict, NotFound, TooLarge, Unavailable
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, decode_moment, page_of
from hubbub.operations.context import Caller, Context, Reading, Writing
from hubbub.operations.inputs import Input, Limit, Moment
from hubbub.operations.operation import Errors, operation
from hubbub.operations.recording import Status
from hubbub.storage.statements import Row

STATS_CALLS_MAX = 100_000
LINEAGE_MAX = 100
TO_HEAR_OF_IT_MS = 1000
"""How much longer a call waits than the one that it made may take."""
TREE_CALLS_MAX = 1000

NO_CALL: Final[Errors] = {NotFound: "there is no such call, or none that you may see"}
NESTED: Final[Errors] = {
    NotFound: "the chosen provider does not offer it now",
    Unavailable: "its provider did not start it",
}


class RunInput(Input, frozen=True, kw_only=True):
    operation: str
    """Id of the operation; for a spoke's, its own name is enough while only one offers it."""
    input: dict[str, object] = {}
    provider: str | None = None
    """Id or name of the one provider that shall answer."""
    timeout_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None


class CallRef(Input, frozen=True, kw_only=True):
    id: str


class AbortInput(Input, frozen=True, kw_only=True):
    id: str
    mode: Cancel = Cancel.KILLNOWAIT


class CallListing(Input, frozen=True, kw_only=True):
    status: Status | None = None
    operation: str | None = None
    account_id: str | None = None
    parent_id: str | None = None
    """Only calls that this one made."""
    since: Moment | None = None
    until: Moment | None = None
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class StatsQuery(Input, frozen=True, kw_only=True):
    operation: str | None = None
    since: Moment | None = None
    until: Moment | None = None
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class CallView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call as the graph has it."""

    id: str
    operation: str
    status: Status
    parent_id: str | None
    account_id: str | None
    provider: str | None
    input: Raw | None
    output: Raw | None
    error: dict[str, object] | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: float | None


class CallTree(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call and the calls that it made."""

    call: CallView
    children: "list[CallTree]"
    more: bool = False
    """At the root: it led to more calls than are shown. `call.list` has them by `parentId`."""


class OperationStats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an operation has done. Durations in milliseconds, from acceptance to end."""

    operation: str
    count: int
    error_rate: float
    """Share of calls that failed; aborted ones did not."""
    p50_ms: float
    p95_ms: float
    p99_ms: float


class CallOperations:
    """Calls, running and past. You see yours; with `calls:read`, everybody's."""

    namespace = "call"

    def __init__(self, router: Router, watch: Watch) -> None:
        self._router = router
        self._watch = watch

    # What goes in and comes out is in the record of the call that is made. There it is withheld if
    # that operation is sensitive, so it must not stand here.
    @operation(
        sensitive=True,
        errors={
            **NESTED,
            Conflict: "the name means several, calls are nested too deep, or there was no answer",
        },
    )
    async def run(self, ctx: Context, wanted: RunInput) -> Raw:
        """Call any operation that you may use; the answer is its response envelope."""
        async for envelope in self._nested(ctx, wanted):
            return Raw(envelope)
        raise Conflict("a subscription ended without an answer", operation=wanted.operation)

    @operation(
        sensitive=True,
        errors={
            **NESTED,
            Conflict: "the name means several operations, or calls are nested too deep",
            TooLarge: "answers came faster than they were taken",
        },
    )
    async def stream(self, ctx: Context, wanted: RunInput) -> AsyncIterator[Raw]:
        """Call any operation and hear all of its answers, each a response envelope."""
        async for envelope in self._nested(ctx, wanted):
            yield Raw(envelope)

    def _nested(self, ctx: Context, wanted: RunInput) -> AsyncIterator[bytes]:
        if wanted.timeout_ms is not None:
            self._router.extend(ctx.call_id, wanted.timeout_ms + TO_HEAR_OF_IT_MS)
        return ctx.nested(
            wanted.operation,
            msgspec.json.encode(wanted.input),
            provider=wanted.provider,
            timeout_ms=wanted.timeout_ms,
        )

    @operation(errors={NotFound: "no such call of yours is in flight"})
    async def abort(self, ctx: Context, wanted: AbortInput) -> None:
        """Stop a call of yours, and all that it began; with `calls:write`, anybody's."""
        call = self._router.calls.get(wanted.id)
        if call is None or not _may_touch(call.caller, ctx.caller):
            raise NotFound(f"no call {wanted.id} in flight", call=wanted.id)
        self._router.abort(call, wanted.mode)

    @operation(errors=NO_CALL)
    async def get(self, ctx: Reading, ref: CallRef) -> CallView:
        """One call."""
        return _view(await store.get(ctx.tx, ref.id, _only(ctx.caller)))

    @operation()
    async def list(self, ctx: Reading, listing: CallListing) -> Page[CallView]:
        """Calls, newest first."""
        wanted = store.Filter(
            status=listing.status,
            operation=listing.operation,
            account_id=_only(ctx.caller) or listing.account_id,
            parent_id=listing.parent_id,
            since=listing.since,
            until=listing.until,
        )
        before = decode_moment(listing.cursor) if listing.cursor else None
        found = await store.page(ctx.tx, wanted, before, listing.limit + 1)
        page = page_of(found, listing.limit, lambda row: (row.created_at.isoformat(), row.id))
        return Page(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)

    @operation(errors=NO_CALL)
    async def tree(self, ctx: Reading, ref: CallRef) -> CallTree:
        """A call and everything that it led to, up to 1,000 calls."""
        await store.get(ctx.tx, ref.id, _only(ctx.caller))
        rows = await store.descendants(ctx.tx, ref.id, TREE_CALLS_MAX + 1)
        tree = _tree(rows[:TREE_CALLS_MAX], _only(ctx.caller))
        return msgspec.structs.replace(tree, more=len(rows) > TREE_CALLS_MAX)

    @operation(errors=NO_CALL)
    async def lineage(self, ctx: Reading, ref: CallRef) -> Sequence[CallView]:
        """The way from the first call to this one, as far as you may see it."""
        await store.get(ctx.tx, ref.id, _only(ctx.caller))
        only = _only(ctx.caller)
        way = await store.ancestors(ctx.tx, ref.id, LINEAGE_MAX)
        return [_view(row) for row in way if only is None or row.caller_account_id == only]

    @operation()
    async def stats(self, ctx: Reading, query: StatsQuery) -> Page[OperationStats]:
        """Count, error rate and durations by operation, over the latest 100,000 ended calls."""
        (after,) = decode_cursor(query.cursor, 1) if query.cursor else ("",)
        wanted = store.Filter(
            operation=query.operation,
            account_id=_only(ctx.caller),
            since=query.since,
            until=query.until,
        )
        durations = await store.durations(ctx.tx, wanted, STATS_CALLS_MAX)
        found = [each for each in _stats(durations) if each.operation > after]
        return page_of(found, query.limit, lambda each: (each.operation,))

    @operation()
    async def follow(self, ctx: Context) -> AsyncIterator[CallEvent]:
        """Every call that begins or ends from now on."""
        async for event in self._watch.events(_only(ctx.caller)):
            yield event


class Removal(Input, frozen=True, kw_only=True):
    id: str
    reassign: bool = False
    """Keep the records of its calls, under an operation that stands for all that are gone."""


class Removed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    reassigned: int
    """Records that refer to `system.removed` now."""


class OperationRemoval:
    """The end of a definition. Its calls outlive it."""

    namespace = "operation"

    def __init__(self, router: Router) -> None:
        self._router = router

    @operation(
        scope="operations:write",
        errors={
            Conflict: "it is offered now, or call records refer to it; `records` says how many"
        },
    )
    async def remove(self, ctx: Writing, removal: Removal) -> Removed:
        """Delete a definition that nobody offers. Refused while call records refer to it."""
        stored = await catalog_store.get(ctx.tx, removal.id)
        # Whoever registers is in the database first, and with the router a moment later.
        registered = await catalog_store.active_providers(ctx.tx, [stored.row])
        offered = registered or self._router.offers.get(removal.id) is not None
        if stored.row == REMOVED or offered:
            raise Conflict("the operation is offered now", operation=removal.id)
        records = await store.of_operation(ctx.tx, stored.row)
        if records and not removal.reassign:
            raise Conflict(
                "call records refer to it: remove with `reassign`",
                operation=removal.id,
                records=records,
            )
        reassigned = await store.reassign(ctx.tx, stored.row, ctx.now) if records else 0
        await catalog_store.remove(ctx.tx, stored.row)
        await note(ctx, "operation.removed", operation=removal.id, reassigned=reassigned)
        ctx.tx.publish(OperationsRemoved(rows=(stored.row,)))
        return Removed(reassigned=reassigned)


def _only(caller: Caller) -> str | None:
    """Whose calls this caller may see: None for everybody's."""
    return None if caller.has("calls:read") else caller.account_id


def _may_touch(owner: Caller, caller: Caller) -> bool:
    if caller.has("calls:write"):
        return True
    return owner.identity is not None and owner.identity.id == caller.account_id


def _view(row: Row) -> CallView:
    about = row.metadata or {}
    duration_ms = None
    if row.completed_at is not None:
        duration_ms = round((row.completed_at - row.created_at).total_seconds() * 1000, 3)
    return CallView(
        id=row.id,
        operation=f"{row.namespace}.{row.name}",
        status=row.status,
        parent_id=row.parent_request_id,
        account_id=row.caller_account_id,
        provider=about.get("provider"),
        input=row.input,
        output=row.output,
        error=row.error,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_ms=duration_ms,
    )


def _tree(rows: Sequence[Row], only: str | None) -> CallTree:
    """What others called on a caller's behalf is shown, what they said in doing so is not."""
    trees: dict[str, CallTree] = {}
    for row in rows:
        view = _view(row)
        if only is not None and row.caller_account_id != only:
            # What is wrong with an input quotes it.
            error = None if view.error is None else {**view.error, "details": {}}
            view = msgspec.structs.replace(view, input=None, output=None, error=error)
        trees[row.id] = CallTree(call=view, children=[])
    for row in rows[1:]:
        trees[row.parent_request_id].children.append(trees[row.id])
    return trees[rows[0].id]


def _stats(rows: Sequence[Row]) -> list[OperationStats]:
    durations: dict[str, list[float]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    for row in rows:
        id = f"{row.namespace}.{row.name}"
        durations[id].append((row.completed_at - row.created_at).total_seconds() * 1000)
        failures[id] += row.status == "failed"
    return [
        OperationStats(
            operation=id,
            count=len(times),
            error_rate=failures[id] / len(times),
            p50_ms=_percentile(times, 0.50),
            p95_ms=_percentile(times, 0.95),
            p99_ms=_percentile(times, 0.99),
        )
        for id, times in sorted((id, sorted(times)) for id, times in durations.items())
    ]


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed."""
    return round(ordered[max(0, math.ceil(len(ordered) * share) - 1)], 3)
