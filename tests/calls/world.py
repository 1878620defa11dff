"""A router, everybody around it, and a plain account of what ought to be true of them.

Whoever drives a `World` picks by numbers, so that a state machine and a row of dice can do the
same. Every step ends in `check`, which holds the router against the account.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import wraps

import pytest
from msgspec import Raw

from hubbub.calls import inflight
from hubbub.calls import router as routing
from hubbub.calls.deadlines import BUCKETS_PER_S
from hubbub.calls.model import Ask, Call, Cancel, Outcome, Provider, Reason
from hubbub.calls.offers import NotOffered
from hubbub.calls.router import Router
from hubbub.kernel.errors import DomainError, Invalid, TimedOut, Unavailable
from hubbub.protocol.frames import Progressed
from tests.support.clock import DrivenLoop
from tests.support.routing import ADA, Heard, Ledger, answer, definition

DEPTH_MAX = 2
TOMBSTONES_MAX = 6

OPERATIONS = [
    definition("dev.query"),
    definition("dev.twice", idempotent=True),
    definition("dev.mutation", "mutation"),
    definition("dev.stream", "subscription"),
    definition("dev.feed", "subscription", idempotent=True),
]
SPOKES = ["a", "b", "c"]
DEADLINES_S = [None, None, None, -1, 0.5, 5, 30, 100_000]
IDLE_S = [None, 0.5, 5, 30]
WAITS_S = [0.01, 0.1, 0.4, 1, 4, 9.9, 10.1, 31, 61]
REPLIES = ["answer", "answer", "answer", "complete", "fail", "unavailable", "stop", "rubbish",
           "progress"]  # fmt: skip
ON_SEND = [None, None, "refuse", "answer", "unavailable", "leave"]
ON_ABORT = [None, None, "stop", "answer", "fail", "unavailable"]
ON_END = [*[None] * 10, "begin another", "begin another", "abort the parent", "abort everything"]

MODES = [Cancel.SKIP, Cancel.KILL, Cancel.KILLNOWAIT, Cancel.KILL]

BUCKET_S = 1 / BUCKETS_PER_S
ROUNDING_S = 1e-6
MOMENT_S = 0.001  # deadlines are told in whole milliseconds


@dataclass(eq=False)
class Traced:
    """A call as the account has it."""

    definition: object
    parent: "Traced | None"
    world: "World"
    pin: str | None
    on_end: str | None
    call: Call | None = None
    holder: Provider | None = None
    sends: list[Provider] = field(default_factory=list)
    excused: bool = False
    """Whether it may be sent again."""
    stopping: bool = False
    killed: bool = False
    due_s: float = 0.0
    idle_s: float = 0.0
    heard: Heard = field(default_factory=Heard)

    @property
    def live(self) -> bool:
        return self.call is not None and not self.heard.ends

    @property
    def streams(self) -> bool:
        return self.definition.streams

    # What it hears, as the sink that it is.

    def answered(self, call: Call, output: Raw) -> None:
        self.heard.answered(call, output)

    def progressed(self, call: Call, progress: Progressed) -> None:
        self.heard.progressed(call, progress)

    def ended(self, call: Call, outcome: Outcome) -> None:
        self.call = call
        self.heard.ended(call, outcome)
        self.world.ended(self, outcome)


class Spoke:
    """A provider and the link to it."""

    def __init__(self, world: "World", id: str, epoch: int, concurrency_max: int) -> None:
        self.world = world
        self.on_send: str | None = None
        self.on_abort: str | None = None
        self.provider = Provider(
            type="spoke", id=id, name=id, link=self, epoch=epoch, concurrency_max=concurrency_max
        )
        self.operations: list[object] = []

    @property
    def here(self) -> bool:
        return bool(self.operations)

    def send(self, call: Call) -> None:
        traced: Traced = call.sink
        traced.call = call
        world = self.world
        if self.on_send == "refuse":
            world.seen["a link refused"] += 1
            raise Unavailable("no")
        if traced.sends:
            assert traced.excused, "sent again although it may have run"
            assert self.provider not in traced.sends, "sent to the same one twice"
            world.seen["went to another"] += 1
        traced.excused = False
        traced.sends.append(self.provider)
        traced.holder = self.provider
        if self.on_send == "leave":
            self.on_send = None
            world.seen["a provider left as it was given a call"] += 1
            world.leave(self)
            raise Unavailable("no")
        if self.on_send is not None:
            world.seen["a reply before it was sent to the end"] += 1
            world.reply(self, traced, self.on_send)

    def abort(self, call: Call, reason: Reason) -> None:
        traced: Traced = call.sink
        assert call.aborting is not None, "told to stop without a mark"
        traced.stopping = True
        if self.on_abort is not None:
            self.world.seen["a reply to an abort before it returned"] += 1
            self.world.reply(self, traced, self.on_abort)


def step(method):
    """One thing happens, and the account is held against it."""

    @wraps(method)
    def taken(self, *args):
        with self.loop.running():
            method(self, *args)
            self.check()

    return taken


class WallClock:
    """Goes as the loop does: however long the machine takes, it is not later for it."""

    def __init__(self, loop: DrivenLoop) -> None:
        self._loop = loop

    def time_ns(self) -> int:
        return round(self._loop.time() * 1e9)


class World:
    """Picks are numbers; each is taken modulo what there is to choose from."""

    def __init__(self) -> None:
        self.loop = DrivenLoop()
        self.ledger = Ledger()
        self.router = Router([self.ledger])
        self.spokes: list[Spoke] = []
        self.calls: list[Traced] = []
        self.draining = False
        self.seen: Counter[str] = Counter()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(inflight, "TOMBSTONES_MAX", TOMBSTONES_MAX)
        self._patch.setattr(routing, "CALL_DEPTH_MAX", DEPTH_MAX)
        self._clock = WallClock(self.loop)
        for module in (inflight, routing):
            self._patch.setattr(module, "time", self._clock)

    def close(self) -> None:
        self._patch.undo()

    # Providers come and go.

    @step
    def arrive(self, id: int, operations: int, concurrency_max: int) -> None:
        """A spoke comes, or comes anew over another connection, whose epoch is higher."""
        name = SPOKES[id % len(SPOKES)]
        before = [spoke for spoke in self.spokes if spoke.provider.id == name]
        spoke = Spoke(self, name, len(before) + 1, 1 + concurrency_max % 6)
        self.spokes.append(spoke)
        self._offer(spoke, operations)
        for old in before:
            if old.here:
                self.seen["a new epoch"] += 1
                self.leave(old)

    @step
    def offer_anew(self, spoke: int, operations: int) -> None:
        for chosen in self._pick_here(spoke):
            self._offer(chosen, operations)

    @step
    def temper(self, spoke: int, on_send: int, on_abort: int) -> None:
        """From now on a provider replies on the spot, or no more."""
        for chosen in self._pick_here(spoke):
            chosen.on_send = ON_SEND[on_send % len(ON_SEND)]
            chosen.on_abort = ON_ABORT[on_abort % len(ON_ABORT)]

    @step
    def drain_one(self, spoke: int) -> None:
        for chosen in self._pick_here(spoke):
            chosen.provider.draining = True

    @step
    def withdraw(self, spoke: int) -> None:
        for chosen in self._pick_here(spoke):
            self.leave(chosen)

    def leave(self, spoke: Spoke) -> None:
        spoke.operations = []
        for traced in self.calls:
            if traced.live and traced.holder is spoke.provider:
                unanswered = not traced.heard.answers and not traced.stopping
                traced.excused = unanswered and traced.definition.spec.idempotent
        self.router.withdraw(spoke.provider)

    def _offer(self, spoke: Spoke, operations: int) -> None:
        chosen = [each for n, each in enumerate(OPERATIONS) if operations >> n & 1]
        spoke.operations = chosen or OPERATIONS
        self.router.offer(spoke.provider, [(each, each.id) for each in spoke.operations])

    # Callers open and abort.

    @step
    def begin(self, operation: int, parent: int, pin: int, deadline: int, on_end: int) -> None:
        """Two in three have a parent, if there is one; one in eight is pinned."""
        chosen = OPERATIONS[operation % len(OPERATIONS)]
        # Mostly one of the latest, so that calls nest; now and then one that has ended.
        parents = [each for each in self.calls if each.live or parent % 16 == 1]
        above = parents[-1 - parent % min(4, len(parents))] if parent % 3 and parents else None
        traced = Traced(
            definition=chosen,
            parent=above,
            world=self,
            pin=SPOKES[pin % len(SPOKES)] if pin % 8 == 0 else None,
            on_end=ON_END[on_end % len(ON_END)],
        )
        self._begin(traced, DEADLINES_S[deadline % len(DEADLINES_S)], IDLE_S[deadline % 4])

    def _begin(self, traced: Traced, deadline_s: float | None, idle_s: float | None) -> None:
        wanted = self._expected(traced, deadline_s)
        router, bounds = self.router, self.router.bounds
        now_ms = self._clock.time_ns() // 1_000_000
        ask = Ask(
            operation_id=traced.definition.id,
            parent_id=None if traced.parent is None else traced.parent.call.id,
            provider=traced.pin,
            deadline_ms=None if deadline_s is None else now_ms + round(deadline_s * 1000),
            idle_timeout_ms=None if idle_s is None else round(idle_s * 1000),
        )
        now = self.loop.time()
        if traced.streams:
            traced.idle_s = bounds.idle_timeout_s if idle_s is None else idle_s
            traced.due_s = now + traced.idle_s
        else:
            left_s = bounds.timeout_s if deadline_s is None else deadline_s
            traced.due_s = now + min(left_s, bounds.timeout_s_max)
        self.calls.append(traced)
        try:
            call = router.open(ask, ADA, traced)
        except (NotOffered, Invalid) as error:
            assert wanted == {type(error).__name__}
            assert traced.call is None
            self.calls.remove(traced)
            return
        assert traced.call in (None, call)
        traced.call = call
        found = traced.holder.id if traced.live else traced.heard.end[1]
        assert wanted is None or found in wanted, (found, wanted)

    def _expected(self, traced: Traced, deadline_s: float | None) -> set[str] | None:
        """Codes of the errors, or ids of the providers, of which the router may choose; None
        where providers do as they like."""
        parent = traced.parent
        if not any(traced.definition in spoke.operations for spoke in self.spokes):
            return {"NotOffered"}
        if parent is not None and not parent.live:
            return {"Invalid"}
        if self.draining:
            self.seen["a call while the hub leaves"] += 1
            return {"UNAVAILABLE"}
        if parent is not None and parent.killed:
            self.seen["a child of a call that stops"] += 1
            return {"UNAVAILABLE"}
        if parent is not None and parent.call.depth == DEPTH_MAX:
            self.seen["nested too deep"] += 1
            return {"CONFLICT"}
        if not traced.streams and deadline_s is not None and deadline_s < 0:
            self.seen["a deadline that had passed"] += 1
            return {"TIMEOUT"}
        return self._choice(traced)

    def _choice(self, traced: Traced) -> set[str] | None:
        able = [
            spoke
            for spoke in self.spokes
            if traced.definition in spoke.operations
            and not spoke.provider.draining
            and traced.pin in (None, spoke.provider.id)
        ]
        if not able:
            return {"NOT_FOUND" if traced.pin else "NO_PROVIDER"}
        load = {spoke: len(self._held_by(spoke)) for spoke in able}
        ready = [spoke for spoke in able if load[spoke] < spoke.provider.concurrency_max]
        if not ready:
            self.seen["everybody busy"] += 1
            return {"BUSY"}
        if any(spoke.on_send is not None for spoke in ready):
            return None
        least = min(load[spoke] for spoke in ready)
        return {spoke.provider.id for spoke in ready if load[spoke] == least}

    @step
    def abort(self, call: int, mode: int) -> None:
        for traced in self._pick(self.calls, call):
            self._abort(traced, MODES[mode % len(MODES)])

    def _abort(self, traced: Traced, mode: Cancel) -> None:
        if traced.call is None:
            return
        if not traced.live:
            self.router.abort(traced.call, mode)
            return
        if mode is Cancel.KILL:
            if not traced.killed:
                traced.due_s = min(traced.due_s, self.loop.time() + inflight.KILL_WAIT_S)
            traced.killed = traced.stopping = True
        self.router.abort(traced.call, mode)
        assert traced.killed or traced.call.outcome is not None

    def ended(self, traced: Traced, outcome: Outcome) -> None:
        """Called in the middle of things, as a sink is."""
        error, now = outcome.error, self.loop.time()
        if isinstance(error, TimedOut) and traced.sends:
            assert now >= traced.due_s - ROUNDING_S, "ended too early"
            self.seen["timed out in silence" if traced.streams else "timed out"] += 1
        if outcome.reason is Reason.PARENT and traced.parent.parent is not None:
            self.seen["aborted with a grandparent"] += 1
        if traced.killed and outcome.status == "completed":
            self.seen["a result won over a kill"] += 1
        if traced.killed and outcome.status == "aborted" and now >= traced.due_s - ROUNDING_S:
            self.seen["killed in vain"] += 1
        match traced.on_end:
            case "begin another" if len(self.calls) < 200:
                self.seen["a call began at the end of another"] += 1
                other = Traced(
                    definition=traced.definition, parent=None, world=self, pin=None, on_end=None
                )
                self._begin_whatever(other)
            case "abort the parent" if traced.parent is not None:
                self._abort(traced.parent, Cancel.SKIP)
            case "abort everything":
                for other in list(self.calls):
                    if other.live:
                        self._abort(other, Cancel.SKIP)

    def _begin_whatever(self, traced: Traced) -> None:
        """In the middle of a step the account is not up to date, so nothing is foretold."""
        ask = Ask(operation_id=traced.definition.id)
        bounds = self.router.bounds
        traced.idle_s = bounds.idle_timeout_s
        usual_s = bounds.idle_timeout_s if traced.streams else bounds.timeout_s
        traced.due_s = self.loop.time() + usual_s
        self.calls.append(traced)
        try:
            traced.call = self.router.open(ask, ADA, traced)
        except NotOffered:
            self.calls.remove(traced)

    # Providers reply: rightly, twice, too late, or for somebody else.

    @step
    def respond(self, call: int, kind: int) -> None:
        """The provider that has the call replies; now and then for one that is to stop."""
        live = [each for each in self.calls if each.live and (each.killed or call % 4)]
        for traced in self._pick(live, call):
            self.reply(traced.holder.link, traced, REPLIES[kind % len(REPLIES)])

    @step
    def respond_astray(self, spoke: int, call: int, kind: int) -> None:
        """Anybody replies to anything."""
        for chosen in self._pick(self.spokes, spoke):
            for traced in self._pick(self.calls, call):
                if traced.call is not None:
                    self.reply(chosen, traced, REPLIES[kind % len(REPLIES)])

    def reply(self, spoke: Spoke, traced: Traced, kind: str) -> None:
        if traced.live and traced.holder is spoke.provider:
            self._replied(spoke, traced, kind)
            return
        counters, id = self.router.counters, traced.call.id
        late, stray = counters.late, counters.stray
        buried = id in self.ledger.ended_ids[-TOMBSTONES_MAX:]
        ends, answers = len(traced.heard.ends), len(traced.heard.answers)
        self._say(spoke, id, kind)
        assert (counters.late, counters.stray) == (late + buried, stray + (not buried))
        assert (len(traced.heard.ends), len(traced.heard.answers)) == (ends, answers)
        self.seen[
            "too late" if buried else "for somebody else" if traced.live else "forgotten"
        ] += 1

    def _replied(self, spoke: Spoke, traced: Traced, kind: str) -> None:
        answers, stopping = len(traced.heard.answers), traced.stopping
        if kind == "unavailable" and not answers and not stopping:
            traced.excused = True
            self._say(spoke, traced.call.id, kind)
            assert not traced.live or traced.holder is not spoke.provider
            return
        if kind == "answer" and traced.streams and not stopping:
            traced.due_s = self.loop.time() + traced.idle_s
        self._say(spoke, traced.call.id, kind)
        if kind == "progress":
            assert traced.live
        elif kind == "answer" and traced.streams:
            assert len(traced.heard.answers) == answers + 1
        else:
            assert traced.heard.end == _end(traced, kind)

    def _say(self, spoke: Spoke, id: str, kind: str) -> None:
        router, provider = self.router, spoke.provider
        match kind:
            case "answer":
                router.responded(provider, id, answer())
            case "rubbish":
                router.responded(provider, id, Raw(b"[]"))
            case "complete":
                router.completed(provider, id)
            case "fail":
                router.failed(provider, id, DomainError("NO", "no"))
            case "unavailable":
                router.failed(provider, id, Unavailable("no"))
            case "stop":
                router.stopped(provider, id)
            case "progress":
                router.progressed(provider, id, Progressed(request_id=id, progress=1))

    # Time passes, and the hub leaves.

    @step
    def wait(self, wait: int) -> None:
        self.loop.advance(WAITS_S[wait % len(WAITS_S)])

    @step
    def stall(self, wait: int) -> None:
        """The loop is stuck, and everything that was due is late."""
        self.loop.stall(WAITS_S[wait % len(WAITS_S)])

    @step
    def drain(self) -> None:
        self.draining = True
        self.router.drain()

    @step
    def finish(self, way: int) -> None:
        """Everything comes to its end; nothing is left."""
        for traced in self.calls:
            traced.on_end = None
        for spoke in self.spokes:
            spoke.on_send = "refuse"
        match way % 3:
            case 0:
                self.draining = True
                self.router.close()
            case 1:
                for traced in self.calls:
                    self._abort(traced, Cancel.KILLNOWAIT)
        for spoke in self.spokes:
            self.leave(spoke)
        self.loop.advance(self.router.bounds.timeout_s_max + 1)
        assert set(self.router.held().values()) == {0}
        assert (self.router.calls, self.router.offers.held, self.loop.armed) == ({}, 0, [])

    # The account.

    def check(self) -> None:
        self._check_calls()
        self._check_slots()
        self._check_counters()

    def _check_calls(self) -> None:
        now = self.loop.time()
        for traced in self.calls:
            call = traced.call
            if not traced.live:
                assert call.outcome is traced.heard.ends[0]
                assert call.status == call.outcome.status
                assert call.id not in self.router.calls
                continue
            assert self.router.calls[call.id] is call
            assert call.provider is traced.holder
            assert abs(call.due_s - traced.due_s) < MOMENT_S, "it has another deadline"
            assert now <= call.due_s + BUCKET_S + ROUNDING_S, "it should have ended"
            parent = traced.parent
            if parent is None or parent.live:
                assert parent is None or not parent.killed
            else:
                assert parent.heard.ends[0].status == "completed", "it has outlived its parent"
                self.seen["a child outlived a content parent"] += 1

    def _check_slots(self) -> None:
        for spoke in self.spokes:
            held = self._held_by(spoke)
            assert set(spoke.provider.calls) == {each.call.id for each in held}
            assert len(held) <= spoke.provider.concurrency_max
            assert spoke.here or not held
        offered = {
            each.definition.id: {provider.link for provider in each.providers}
            for each in self.router.offers.all()
        }
        for each in OPERATIONS:
            here = {spoke for spoke in self.spokes if each in spoke.operations}
            assert offered.get(each.id, set()) == here

    def _check_counters(self) -> None:
        counters = self.router.counters
        ends = Counter(each.heard.ends[0].status for each in self.calls if not each.live)
        live = sum(each.live for each in self.calls)
        assert counters.opened == len(self.calls) == len(self.ledger.began_ids)
        assert (counters.completed, counters.failed, counters.aborted) == (
            ends["completed"], ends["failed"], ends["aborted"],
        )  # fmt: skip
        assert len(set(self.ledger.ended_ids)) == len(self.ledger.ended_ids) == ends.total()
        assert self.router.held() == {"calls": live, "deadlines": live, "slots": live}
        assert len(self.router._tombstones) <= TOMBSTONES_MAX

    def _held_by(self, spoke: Spoke) -> list[Traced]:
        return [each for each in self.calls if each.live and each.holder is spoke.provider]

    def _pick_here(self, n: int) -> list[Spoke]:
        return self._pick([spoke for spoke in self.spokes if spoke.here], n)

    @staticmethod
    def _pick(among: list, n: int) -> list:
        """One of them; none where there is none."""
        return [among[n % len(among)]] if among else []


def _end(traced: Traced, kind: str) -> tuple[str, str | None]:
    """How a call ends by a reply."""
    return {
        "answer": ("completed", None),
        "rubbish": ("failed", "VALIDATION_ERROR"),
        "complete": ("completed", None) if traced.streams else ("failed", "EXECUTION_ERROR"),
        "fail": ("failed", "NO"),
        "unavailable": ("failed", "UNAVAILABLE"),
        "stop": ("aborted", "ABORTED"),
    }[kind]
