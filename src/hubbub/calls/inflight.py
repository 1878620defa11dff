"""The calls in flight, and how every one of them comes to exactly one end.

A state machine without I/O: callers abort, time passes, the hub leaves. It never waits; links and
sinks take what it hands them, or cut off a peer that does not read. Every way to an end goes
through `_finish`, which is idempotent and frees all that the call held: its place in the maps, its
deadline, its provider's slot, its children. Who answers a call is the router's affair.
"""

import asyncio
import time
from asyncio import get_running_loop
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hubbub.calls.deadlines import Deadlines
from hubbub.calls.model import (
    Ask,
    Call,
    Cancel,
    Outcome,
    Provider,
    Reason,
    aborted,
    hub_left,
    timed_out,
)
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.limits import TOMBSTONES_MAX
from hubbub.operations.recording import Recorder

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


class InFlight:
    """Calls from their beginning to their one end."""

    def __init__(self, recorders: Sequence[Recorder], bounds: Bounds) -> None:
        self.bounds = bounds
        self.counters = Counters()
        self.calls: dict[str, Call] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()
        self._deadlines = Deadlines(self._expired)
        self._recorders = recorders
        self._closing = False
        self._quiet: asyncio.Event | None = None

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

    def close(self) -> None:
        """End every call, for the hub is leaving."""
        self._closing = True
        for call in list(self.calls.values()):
            self._stop(call, hub_left())
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

    def _begin(self, call: Call) -> None:
        self.counters.opened += 1
        self.calls[call.id] = call
        for recorder in self._recorders:
            recorder.began(call)

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

    def _answering(self, provider: Provider, call_id: str) -> Call | None:
        call = self.calls.get(call_id)
        if call is not None and call.provider is provider:
            return call
        if call_id in self._tombstones:
            self.counters.late += 1
        else:
            self.counters.stray += 1
        return None

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


def _seconds(ms: int, most_s: float) -> float:
    # Bounded as a whole number: a caller's may be too large for a float.
    return max(0, min(ms, round(most_s * 1000))) / 1000
