"""Who answers a call, and how every call comes to exactly one end.

The router is a state machine without I/O: callers open and abort, providers answer and leave, time
passes. It never waits; links and sinks take what it hands them, or cut off a peer that does not
read. Every way to an end goes through `_finish`, which is idempotent and frees all that the call
held: its place in the maps, its deadline, its provider's slot, its children.
"""

import asyncio
import logging
import time
from asyncio import get_running_loop
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from hubbub.calls.deadlines import Deadlines
from hubbub.calls.model import (
    CALLEE_LEFT,
    COMPLETED,
    Ask,
    Call,
    Cancel,
    Outcome,
    Provider,
    Reason,
    Sink,
    aborted,
    failed,
    timed_out,
)
from hubbub.calls.offers import Offers
from hubbub.catalog.model import Definition
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import (
    Busy,
    Conflict,
    HubError,
    Invalid,
    Unavailable,
)
from hubbub.kernel.ids import sortable_id
from hubbub.kernel.limits import CALL_DEPTH_MAX, TOMBSTONES_MAX
from hubbub.operations.access import check
from hubbub.operations.context import Caller
from hubbub.operations.recording import Recorder
from hubbub.protocol.envelope import opened
from hubbub.protocol.frames import Progressed

log = logging.getLogger(__name__)

KILL_WAIT_S: Final = 10.0
"""How long a call that was asked to stop may take to do so."""

IDLE_TIMEOUT_S_MAX: Final = 7 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Times that hold where a caller names none. Seconds."""

    timeout_s: float = 60.0
    timeout_s_max: float = 3600.0
    idle_timeout_s: float = 600.0


@dataclass(kw_only=True)
class Counters:
    """What went by. Only ever grows."""

    opened: int = 0
    completed: int = 0
    failed: int = 0
    aborted: int = 0
    rerouted: int = 0
    late: int = 0
    """Answers to calls that had ended."""
    unfit: int = 0
    """Answers that break the schema of their operation's output."""
    stray: int = 0
    """Answers to calls that never were, or that are somebody else's."""


class Router:
    """The calls in flight and the providers that may take them."""

    def __init__(self, recorders: Sequence[Recorder], bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.counters = Counters()
        self.calls: dict[str, Call] = {}
        self.offers = Offers()
        self._tombstones: OrderedDict[str, None] = OrderedDict()
        self._deadlines = Deadlines(self._expired)
        self._recorders = recorders
        self._turns = 0
        self._closing = False
        self._unfit: set[str] = set()  # operations of whose answers somebody was told
        self._quiet: asyncio.Event | None = None

    # Providers come and go.

    def offer(self, provider: Provider, offers: Iterable[tuple[Definition, str]]) -> None:
        """From now on `provider` offers these, under its own names, and nothing else."""
        self.offers.put(provider, offers)

    def withdraw(self, provider: Provider) -> None:
        """`provider` left. Its calls go to somebody else where that is safe, or end."""
        self.offers.put(provider, ())
        for call in list(provider.calls.values()):
            if call.outcome is not None or call.provider is not provider:
                continue  # the end of one before it was its end, too
            if call.definition.spec.idempotent and not call.answers and call.aborting is None:
                self._reroute(call, CALLEE_LEFT)
            else:
                self._finish(call, CALLEE_LEFT)

    # Callers open calls and abort them.

    def open(self, ask: Ask, caller: Caller, sink: Sink) -> Call:
        """Begin a call. From here on its sink hears of it, perhaps before this returns.

        Raises:
            NotOffered: if nobody offers the operation.
            Conflict: if the name means several operations and none was chosen.
            Invalid: if the parent is not a call in flight that the caller may build on.
        """
        identity = caller.identity
        offering = self.offers.find(ask, None if identity is None else identity.id)
        parent = self._parent(ask, caller)
        call = Call(
            ask,
            id=sortable_id(),
            definition=offering.definition,
            caller=caller,
            sink=sink,
            parent=parent,
            created_ns=time.time_ns(),
        )
        # Judged before anything holds it, so that a call that is refused leaves nothing behind.
        refusal = self._refusal(call, ask)
        self.counters.opened += 1
        self.calls[call.id] = call
        for recorder in self._recorders:
            recorder.began(call)
        if refusal is not None:
            self._finish(call, refusal)
            return call
        if parent is not None:
            if parent.children is None:
                parent.children = set()
            parent.children.add(call)
        self._deadlines.add(call)
        self._dispatch(call)
        return call

    def _refusal(self, call: Call, ask: Ask) -> Outcome | None:
        """How a call ends that may not begin; None for one that may."""
        try:
            self._admit(call)
        except HubError as error:
            return failed(error)
        if self._set_deadline(call, ask):
            return None
        return timed_out("the deadline had passed before it began", deadline=call.deadline_ms)

    def _admit(self, call: Call) -> None:
        if self._closing:
            raise Unavailable("the hub is leaving", retryAfterMs=1000)
        for recorder in self._recorders:
            if recorder.behind:
                raise Busy("the hub is behind with its records", retryAfterMs=500)
        if call.parent is not None and call.parent.aborting is not None:
            raise Unavailable("the parent is being aborted", reason=Reason.PARENT.value)
        if call.depth > CALL_DEPTH_MAX:
            raise Conflict("calls are nested too deep", depth=call.depth, maximum=CALL_DEPTH_MAX)
        definition = call.definition
        check(definition.spec.access_control, call.caller.identity, definition.id)
        definition.inputs.check(call.input)

    def _set_deadline(self, call: Call, ask: Ask) -> bool:
        """Say when it times out. Whether that is yet to come."""
        now = get_running_loop().time()
        if call.definition.streams:
            idle_ms = ask.idle_timeout_ms
            call.idle_timeout_s = (
                self.bounds.idle_timeout_s
                if idle_ms is None
                else _seconds(idle_ms, IDLE_TIMEOUT_S_MAX)
            )
            call.due_s = now + call.idle_timeout_s
            return True
        created_ms = call.created_ns // 1_000_000
        if ask.deadline_ms is None:
            left_ms = round(self.bounds.timeout_s * 1000)
        else:
            left_ms = min(ask.deadline_ms - created_ms, round(self.bounds.timeout_s_max * 1000))
            if left_ms <= 0:
                return False
        call.deadline_ms = created_ms + left_ms
        call.due_s = now + left_ms / 1000
        return True

    def extend(self, call_id: str, timeout_ms: int) -> None:
        """Give a call that waits for another as much time as that one was given. What its own
        caller set stands."""
        call = self.calls.get(call_id)
        if call is None or call.time_given or call.aborting is not None:
            return
        streams = call.definition.streams
        left_s = _seconds(timeout_ms, IDLE_TIMEOUT_S_MAX if streams else self.bounds.timeout_s_max)
        due_s = get_running_loop().time() + left_s
        if due_s <= call.due_s:
            return
        if streams:
            call.idle_timeout_s = left_s
        else:
            call.deadline_ms = epoch_ms() + round(left_s * 1000)
        self._deadlines.move(call, due_s)

    def abort(self, call: Call, mode: Cancel = Cancel.KILLNOWAIT) -> None:
        """Stop a call at its caller's wish, and with it everything that it began."""
        if call.outcome is not None:
            return
        # A subscription that nobody hears might never end, so it is not left running.
        if mode is Cancel.SKIP and not call.definition.streams:
            self._finish(call, aborted(Reason.CANCELLED))
        elif mode is Cancel.KILL and call.provider is not None:
            if call.aborting is None:
                # The deadline first: the provider may answer before it was told to the end.
                wait_until_s = get_running_loop().time() + KILL_WAIT_S
                self._deadlines.move(call, min(call.due_s, wait_until_s))
                self._interrupt(call, Reason.CANCELLED)
        else:
            self._stop(call, aborted(Reason.CANCELLED))

    # Providers answer.

    def responded(self, provider: Provider, call_id: str, output: Raw) -> None:
        """An answer. For a query or a mutation it is the end."""
        call = self._answering(provider, call_id)
        if call is None:
            return
        try:
            envelope = opened(output)
        except Invalid as error:
            self._stop(call, failed(error))
            return
        call.answers += 1
        if not call.definition.outputs.open:
            self._look_at(call, envelope.data)
        if not call.definition.streams:
            call.output = envelope.data
            self._finish(call, Outcome(status="completed", output=output))
            return
        if call.idle_timeout_s is not None and call.aborting is None:
            self._deadlines.move(call, get_running_loop().time() + call.idle_timeout_s)
        call.sink.answered(call, output)

    def _look_at(self, call: Call, data: Raw) -> None:
        """Count an answer that breaks its schema, and pass it on: a caller is better served by it
        than by none, and its provider by a line in the log."""
        definition = call.definition
        try:
            definition.outputs.check(data, at="output")
        except Invalid as error:
            self.counters.unfit += 1
            if definition.id not in self._unfit:
                self._unfit.add(definition.id)
                log.warning("%s: %s: %s", definition.id, error.message, error.details["errors"])

    def completed(self, provider: Provider, call_id: str) -> None:
        """A subscription has come to its end."""
        call = self._answering(provider, call_id)
        if call is None:
            return
        if call.definition.streams:
            self._finish(call, COMPLETED)
        else:
            error = HubError("the provider completed the call without an answer")
            self._finish(call, failed(error))

    def failed(self, provider: Provider, call_id: str, error: HubError) -> None:
        """It failed there; or, with `UNAVAILABLE`, was never started."""
        call = self._answering(provider, call_id)
        if call is None:
            return
        if isinstance(error, Unavailable) and not call.answers and call.aborting is None:
            self._reroute(call, failed(error))
        else:
            self._finish(call, failed(error))

    def stopped(self, provider: Provider, call_id: str) -> None:
        """The provider stopped it, as asked or of its own accord."""
        call = self._answering(provider, call_id)
        if call is not None:
            self._finish(call, aborted(call.aborting or Reason.CALLEE_LEFT))

    def progressed(self, provider: Provider, call_id: str, progress: Progressed) -> None:
        """How far it has come."""
        call = self._answering(provider, call_id)
        if call is not None:
            call.sink.progressed(call, progress)

    def _answering(self, provider: Provider, call_id: str) -> Call | None:
        call = self.calls.get(call_id)
        if call is not None and call.provider is provider:
            return call
        if call_id in self._tombstones:
            self.counters.late += 1
        else:
            self.counters.stray += 1
        return None

    # The end.

    def close(self, reason: Reason = Reason.HUB_RESTART) -> None:
        """End every call, for the hub is leaving."""
        self._closing = True
        for call in list(self.calls.values()):
            self._stop(call, Outcome(
                status="failed", reason=reason, error=aborted(reason).error,
            ))  # fmt: skip
        self._deadlines.close()

    @property
    def draining(self) -> bool:
        """Whether it takes no more calls."""
        return self._closing

    def drain(self) -> None:
        """Take no more calls; those in flight go on."""
        self._closing = True

    async def quiet(self) -> None:
        """Wait until no call is in flight."""
        if self.calls:
            if self._quiet is None:
                self._quiet = asyncio.Event()
            await self._quiet.wait()

    def held(self) -> dict[str, int]:
        """What calls hold now; all zero once everything is quiet."""
        return {
            "calls": len(self.calls),
            "deadlines": len(self._deadlines),
            "slots": sum(len(provider.calls) for provider in self.offers.providers()),
        }

    def _expired(self, call: Call) -> None:
        if call.outcome is not None:
            return
        if call.aborting is not None:
            self._finish(call, aborted(call.aborting))
        elif call.definition.streams:
            self._stop(call, timed_out("no answer for too long", idleTimeoutS=call.idle_timeout_s))
        else:
            self._stop(call, timed_out("the deadline has passed", deadline=call.deadline_ms))

    def _interrupt(self, call: Call, reason: Reason) -> None:
        """Tell the descendants and the provider to stop. The mark comes first, so that no child
        can begin behind our back."""
        call.aborting = reason
        for child in list(call.children or ()):
            self._stop(child, aborted(Reason.PARENT))
        if call.provider is not None:
            call.provider.link.abort(call, reason)

    def _stop(self, call: Call, outcome: Outcome) -> None:
        """End a call and its descendants; their providers are told, and have no say."""
        if call.outcome is not None:
            return
        told = call.aborting is not None
        call.aborting = outcome.reason or Reason.CANCELLED
        self._finish(call, outcome)
        if call.provider is not None and not told:
            call.provider.link.abort(call, call.aborting)

    def _finish(self, call: Call, outcome: Outcome) -> None:
        if call.outcome is not None:
            return
        call.outcome = outcome
        del self.calls[call.id]
        if call.due_s:
            self._deadlines.discard(call)
        if call.provider is not None:
            del call.provider.calls[call.id]
        if call.parent is not None and call.parent.children is not None:
            call.parent.children.discard(call)
        if call.children:
            self._leave_children(call, outcome)
        self._bury(call.id)
        call.status = outcome.status
        call.error = outcome.error
        call.ended_ns = time.time_ns()
        setattr(self.counters, outcome.status, getattr(self.counters, outcome.status) + 1)
        for recorder in self._recorders:
            recorder.ended(call)
        call.sink.ended(call, outcome)
        if self._quiet is not None and not self.calls:
            self._quiet.set()
            self._quiet = None

    def _leave_children(self, call: Call, outcome: Outcome) -> None:
        for child in list(call.children or ()):
            if outcome.status == "completed":
                child.parent = None  # it may outlive a parent that is content
            else:
                self._stop(child, aborted(Reason.PARENT))

    def _bury(self, call_id: str) -> None:
        self._tombstones[call_id] = None
        if len(self._tombstones) > TOMBSTONES_MAX:
            self._tombstones.popitem(last=False)

    def _parent(self, ask: Ask, caller: Caller) -> Call | None:
        if ask.parent_id is None:
            return None
        parent = self.calls.get(ask.parent_id)
        if parent is None or not _may_build_on(parent, caller):
            raise Invalid(
                "the parent is not a call of yours in flight",
                errors=[{"field": "parentRequestId", "expected": "the id of a call in flight"}],
            )
        return parent

    def _dispatch(self, call: Call, otherwise: Outcome | None = None) -> None:
        """Hand the call to a provider. It ends at once where nobody takes it: `otherwise`, or with
        what stands in the way."""
        while True:
            try:
                provider = self.offers.choose(call)
            except HubError as error:
                self._finish(call, otherwise or failed(error))
                return
            self._give(call, provider)
            try:
                provider.link.send(call)
            except Unavailable as error:
                if call.outcome is not None or call.provider is not provider:
                    return  # somebody ended it, or gave it to another, on the way
                self._leave(call)
                otherwise = failed(error)
            except Busy as error:
                self._finish(call, failed(error))
                return
            else:
                return

    def _give(self, call: Call, provider: Provider) -> None:
        call.provider = provider
        call.provider_id = provider.id
        provider.calls[call.id] = call
        self._turns += 1
        provider.turn = self._turns
        call.status = "running"
        if call.tried:
            self.counters.rerouted += 1
            call.started_ns = time.time_ns()
        else:
            # The first provider gets it at once, so the clock need not be asked again.
            call.started_ns = call.created_ns

    def _reroute(self, call: Call, otherwise: Outcome) -> None:
        """Give a call that was not started, or may be started twice, to somebody else."""
        self._leave(call)
        self._dispatch(call, otherwise)

    def _leave(self, call: Call) -> None:
        provider = call.provider
        assert provider is not None
        call.provider = None
        del provider.calls[call.id]
        if call.tried is None:
            call.tried = set()
        call.tried.add(provider)


def _seconds(ms: int, most_s: float) -> float:
    # Bounded as a whole number: a caller's may be too large for a float.
    return max(0, min(ms, round(most_s * 1000))) / 1000


def _may_build_on(parent: Call, caller: Caller) -> bool:
    """A call's own caller and its provider may call on its behalf; nobody else."""
    identity = caller.identity
    if identity is None:
        return False
    provider = parent.provider
    if provider is not None and provider.account_id == identity.id:
        return True
    return parent.caller.identity is not None and parent.caller.identity.id == identity.id
