"""Which spokes are here, and what they offer.

A spoke is here from the commit of its registration until its connection ends. A second connection
of the same spoke has the higher epoch and fences the first, whose late answers then are nobody's.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from anyio import CancelScope
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from hubbub.calls.model import Provider
from hubbub.calls.router import Router
from hubbub.catalog import store as catalog
from hubbub.catalog.events import OperationsDefined
from hubbub.catalog.model import Definition, defined
from hubbub.catalog.store import Offer
from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Conflict, Invalid
from hubbub.kernel.groups import surviving
from hubbub.kernel.ids import looks_like_id
from hubbub.kernel.limits import REGISTERED_OPERATIONS_MAX
from hubbub.operations.context import Peer
from hubbub.operations.validation import compiled
from hubbub.protocol import codec
from hubbub.protocol.closing import FENCED
from hubbub.protocol.frames import (
    CallAbort,
    CallCompleted,
    CallFailed,
    CallProgressed,
    CallResponded,
)
from hubbub.protocol.specs import OperationSpec, Registered, Registration, RegistrationResult
from hubbub.spokes import store
from hubbub.spokes.link import SpokeLink
from hubbub.spokes.remap import remapped
from hubbub.spokes.store import Arrival
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction

SPOKE: Final = "spoke"
BEAT_S: Final = 30.0
CHECKED_AT_ONCE: Final = 50

ProviderFrame = CallResponded | CallCompleted | CallFailed | CallAbort | CallProgressed


@dataclass(frozen=True, kw_only=True)
class Here:
    """A spoke that is connected."""

    arrival: Arrival
    peer: Peer
    provider: Provider


@dataclass(frozen=True, kw_only=True)
class _Stored:
    arrival: Arrival
    offers: list[tuple[Definition, str]]
    registered: list[Registered]


class Presence:
    """The spokes that are connected to this node."""

    def __init__(
        self,
        router: Router,
        database: Database,
        clock: Clock,
        tasks: TaskGroup,
        reserved: Set[str],
    ) -> None:
        self._router = router
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._reserved = reserved  # first segments of the hub's own namespaces
        self._by_peer: dict[Peer, Here] = {}
        self._by_id: dict[str, Here] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    async def register(self, account_id: str, peer: Peer, told: Registration) -> RegistrationResult:
        """Note what a spoke offers from now on, over this connection.

        Raises:
            Invalid: if an operation cannot be offered; names it.
            Conflict: if a shared operation is offered by others under another contract.
        """
        await self._check(told)
        now = self._clock()
        # Whoever gives up waiting does not undo what is committed: it has to be entered all the
        # same, if only to note that the spoke has left.
        with CancelScope(shield=True):
            result = await self._database.write(lambda tx: _store(tx, account_id, told, now))
            self._enter(_here(result.arrival, peer, told, account_id), result.offers)
        return RegistrationResult(
            spoke_id=result.arrival.id,
            epoch=result.arrival.epoch,
            operations=result.registered,
        )

    def received(self, peer: Peer, frame: ProviderFrame) -> None:
        """A spoke's answer to a call. From a connection that is no spoke's, it is nobody's."""
        here = self._by_peer.get(peer)
        if here is None:
            self._router.counters.stray += 1
            return
        provider, call_id = here.provider, frame.payload.request_id
        match frame:
            case CallResponded(payload=payload):
                self._router.responded(provider, call_id, payload.output)
            case CallCompleted():
                self._router.completed(provider, call_id)
            case CallFailed(payload=payload):
                self._router.failed(provider, call_id, codec.error_of(payload))
            case CallAbort():
                self._router.stopped(provider, call_id)
            case CallProgressed(payload=payload):
                self._router.progressed(provider, call_id, payload)

    def drain(self, peer: Peer) -> None:
        """Send no more calls over this connection; those in flight go on."""
        here = self._by_peer.get(peer)
        if here is None:
            raise Conflict("this connection has registered no spoke")
        here.provider.draining = True

    def left(self, peer: Peer) -> None:
        """A connection ended. If it was a spoke's, its calls end or go elsewhere."""
        here = self._by_peer.pop(peer, None)
        if here is None:
            return
        if self._by_id.get(here.arrival.id) is here:
            del self._by_id[here.arrival.id]
        self._router.withdraw(here.provider)
        self._tasks.start_soon(surviving, self._note_leaving, here.arrival)

    async def beat(self) -> None:
        """Note who is still here. For every `BEAT_S`."""
        ids, now = list(self._by_id), self._clock()
        if ids:
            await self._database.write(lambda tx: store.beat(tx, ids, now))

    def _enter(self, here: Here, offers: Sequence[tuple[Definition, str]]) -> None:
        other = self._by_id.get(here.arrival.id)
        if other is not None and other.arrival.epoch > here.arrival.epoch:
            # It registered later and was heard of first: this one is the old one.
            if other.peer is not here.peer:
                here.peer.close(FENCED, "a newer connection of this spoke has taken over")
            raise Conflict("the spoke has registered anew meanwhile", epoch=other.arrival.epoch)
        if not here.peer.open:
            # What it offered before it takes away when it leaves.
            self._tasks.start_soon(surviving, self._note_leaving, here.arrival)
            raise Conflict("the connection ended while it registered")
        before = self._by_peer.pop(here.peer, None)
        if before is not None:
            if before.arrival.id != here.arrival.id:
                del self._by_id[before.arrival.id]
                self._tasks.start_soon(surviving, self._note_leaving, before.arrival)
            # The same connection tells anew what it offers; calls in flight are still its own.
            here.provider.calls = before.provider.calls
            for call in here.provider.calls.values():
                call.provider = here.provider
            self._router.offer(before.provider, ())
        self._by_peer[here.peer] = here
        self._by_id[here.arrival.id] = here
        self._router.offer(here.provider, offers)
        if other is not None and other.peer is not here.peer:
            # After the offer, so that calls that may be started again come to the newer connection.
            other.peer.close(FENCED, "a newer connection of this spoke has taken over")
            self.left(other.peer)

    async def _note_leaving(self, arrival: Arrival) -> None:
        now = self._clock()

        async def work(tx: WriteTransaction) -> None:
            if await store.leave(tx, arrival, now):
                await catalog.deactivate(tx, SPOKE, arrival.id, now)

        # Where this fails, the next start of the spoke or of the hub puts the row right.
        await self._database.write(work)

    async def _check(self, told: Registration) -> None:
        if len(told.operations) > REGISTERED_OPERATIONS_MAX:
            raise _invalid("operations", f"at most {REGISTERED_OPERATIONS_MAX}")
        if looks_like_id(told.name):
            raise _invalid("name", "a name, not an id: a spoke may be chosen by either")
        seen: set[str] = set()
        for n, spec in enumerate(told.operations):
            if n % CHECKED_AT_ONCE == 0:
                # The schemas of ten thousand operations take a second, and nobody else is to wait.
                await checkpoint()
            root = spec.namespace.partition(".")[0]
            if root in self._reserved:
                raise _invalid(f"operations[{n}].namespace", f"not one of the hub's: {root}")
            if spec.shared and any(map(looks_like_id, spec.namespace.split("."))):
                # Under such a name a spoke's own operations stand, and nobody else's.
                raise _invalid(f"operations[{n}].namespace", "no id where it is shared")
            if spec.id in seen:
                raise _invalid(f"operations[{n}].name", f"{spec.id} only once")
            seen.add(spec.id)
            compiled(spec.input_schema, at=f"operations[{n}].inputSchema")
            compiled(spec.output_schema, at=f"operations[{n}].outputSchema")


def _here(arrival: Arrival, peer: Peer, told: Registration, account_id: str) -> Here:
    provider = Provider(
        type=SPOKE,
        id=arrival.id,
        name=told.name,
        link=SpokeLink(peer),
        epoch=arrival.epoch,
        account_id=account_id,
        concurrency_max=told.concurrency_max,
    )
    return Here(arrival=arrival, peer=peer, provider=provider)


async def _store(
    tx: WriteTransaction, account_id: str, told: Registration, now: datetime
) -> _Stored:
    """The spoke's row, its definitions and its registrations, in one transaction."""
    arrival = await store.arrive(tx, account_id, told, now)
    specs = [remapped(spec, arrival.id) for spec in told.operations]
    await _check_shared(tx, arrival.id, [spec for spec in specs if spec.shared])
    stored, news = await catalog.define(tx, specs, now)
    pairs = list(zip(specs, told.operations, strict=True))
    offers = [
        Offer(row=stored[spec.id].row, namespace=own.namespace, name=own.name)
        for spec, own in pairs
    ]
    await catalog.activate(tx, SPOKE, arrival.id, offers, now)
    if news:
        tx.publish(OperationsDefined(operations=news))
    return _Stored(
        arrival=arrival,
        offers=[(defined(stored[spec.id].row, spec), own.id) for spec, own in pairs],
        registered=[Registered(operation_id=spec.id, pre_remap_id=own.id) for spec, own in pairs],
    )


async def _check_shared(
    tx: WriteTransaction, spoke_id: str, specs: Sequence[OperationSpec]
) -> None:
    """Providers that share a name share its contract; the last one to leave frees it."""
    wanted = {spec.id: spec for spec in specs}
    known = await catalog.by_ids(tx, list(wanted))
    others = await catalog.offered_by_others(tx, [each.row for each in known], spoke_id)
    for each in known:
        if not each.spec.shared:
            raise Conflict("that is a spoke's own operation", operation=each.spec.id)
        if others.get(each.row) and _contract(each.spec) != _contract(wanted[each.spec.id]):
            raise Conflict(
                f"others offer {each.spec.id} under another contract",
                operation=each.spec.id,
                providers=others[each.row],
            )


def _contract(spec: OperationSpec) -> tuple[object, ...]:
    return spec.type, spec.input_schema, spec.output_schema, spec.access_control


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("the registration does not fit", errors=[{"field": field, "expected": expected}])
