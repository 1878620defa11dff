"""Who answers a call.

Callers open calls, providers take them and answer, and leave. Like all that is in flight it is a
state machine without I/O, and never waits.
"""

import logging
import time
from asyncio import get_running_loop
from collections.abc import Iterable, Sequence

from msgspec import Raw

from hubbub.calls.inflight import Bounds, InFlight
from hubbub.calls.model import (
    COMPLETED,
    Ask,
    Call,
    Outcome,
    Provider,
    Reason,
    Sink,
    aborted,
    callee_left,
    failed,
    timed_out,
)
from hubbub.calls.offers import Offers
from hubbub.catalog.model import Definition
from hubbub.kernel.errors import (
    Busy,
    Conflict,
    HubError,
    Invalid,
    Unavailable,
)
from hubbub.kernel.ids import sortable_id
from hubbub.kernel.limits import CALL_DEPTH_MAX
from hubbub.operations.access import check
from hubbub.operations.context import Caller
from hubbub.operations.recording import Recorder
from hubbub.protocol.envelope import opened
from hubbub.protocol.frames import Progressed

log = logging.getLogger(__name__)


class Router(InFlight):
    """The calls in flight, and the providers that may take them."""

    def __init__(self, recorders: Sequence[Recorder], bounds: Bounds | None = None) -> None:
        super().__init__(recorders, bounds or Bounds())
        self.offers = Offers()
        self._turns = 0
        self._unfit: set[str] = set()  # operations of whose answers somebody was told

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
                self._reroute(call, callee_left())
            else:
                self._finish(call, callee_left())

    def held(self) -> dict[str, int]:
        """What calls hold now; all zero once everything is quiet."""
        return {
            "calls": len(self.calls),
            "deadlines": len(self._deadlines),
            "slots": sum(len(provider.calls) for provider in self.offers.providers()),
        }

    # Callers open calls.

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
        self._begin(call)
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


def _may_build_on(parent: Call, caller: Caller) -> bool:
    """A call's own caller and its provider may call on its behalf; nobody else."""
    identity = caller.identity
    if identity is None:
        return False
    provider = parent.provider
    if provider is not None and provider.account_id == identity.id:
        return True
    return parent.caller.identity is not None and parent.caller.identity.id == identity.id
