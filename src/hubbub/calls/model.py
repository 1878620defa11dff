"""What a call is, from the ask to its one outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from hubbub.catalog.model import Definition
from hubbub.kernel.errors import Aborted, HubError, TimedOut
from hubbub.operations.context import Caller
from hubbub.operations.recording import CallRecord, Status
from hubbub.protocol.frames import EMPTY_INPUT, Progressed
from hubbub.protocol.specs import ANYBODY, AccessControl

HUB: Final = "hub"
"""The type, the id and the name of the provider of the hub's own operations."""


class Reason(StrEnum):
    """Why a call ended without an answer."""

    CANCELLED = "cancelled_by_caller"
    PARENT = "aborted_by_parent"
    CALLEE_LEFT = "callee_left"
    TIMEOUT = "timeout"
    HUB_RESTART = "hub_restart"


class Cancel(StrEnum):
    """How a caller wants a call to stop (the cancel modes of WAMP)."""

    SKIP = "skip"
    """Answer now; the provider is left to finish and nobody hears of it."""
    KILL = "kill"
    """Interrupt the provider and answer when it has answered; its result may still win."""
    KILLNOWAIT = "killnowait"
    """Interrupt the provider and answer now."""


class Aside(Protocol):
    """What a caller that speaks MCP says, hears and is asked beside input, progress and answer."""

    meta: Mapping[str, object]
    """`_meta` of its request, without the keys that concern one hop."""
    capabilities: Mapping[str, object]
    """What it can be asked, as clients declare it: `{"elicitation": {}, "sampling": {}}`."""
    log_level: str | None
    """The least severe log message that it wants; None for none at all."""
    resumed: Mapping[str, Raw]
    """`inputResponses` and `requestState`, where it asks again after `input_required`."""
    takes_input_required: bool
    """Whether it takes a result that asks for input, rather than being asked by `asked`."""

    def noted(self, method: str, params: Raw) -> None:
        """Pass on a notification that belongs to the call, as a log message does. Never waits."""

    async def asked(self, method: str, params: Raw) -> Raw:
        """Ask the caller, and wait for what it answers.

        Raises:
            RpcError: what it answered instead of a result, or that it cannot be asked.
        """


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants."""

    operation_id: str
    input: Raw = EMPTY_INPUT
    request_id: str = ""
    """The caller's own name for it, unique among its calls in flight."""
    parent_id: str | None = None
    deadline_ms: int | None = None
    """Epoch milliseconds, absolute."""
    idle_timeout_ms: int | None = None
    provider: str | None = None
    aside: Aside | None = None
    """None for callers that do not speak MCP: they can be asked nothing."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call ended."""

    status: Status
    output: Raw | None = None
    """The envelope that answered a query or a mutation; None for subscriptions."""
    error: HubError | None = None
    reason: Reason | None = None


COMPLETED = Outcome(status="completed")


def failed(error: HubError) -> Outcome:
    return Outcome(status="failed", error=error)


def aborted(reason: Reason) -> Outcome:
    """Ended by somebody's decision."""
    return Outcome(
        status="aborted",
        reason=reason,
        error=Aborted("the call was aborted", reason=reason.value),
    )


def callee_left() -> Outcome:
    return _broken_off(Reason.CALLEE_LEFT, "the provider left before it answered")


def hub_left() -> Outcome:
    return _broken_off(Reason.HUB_RESTART, "the hub stopped before the call ended")


def _broken_off(reason: Reason, message: str) -> Outcome:
    # Made anew for each call: an error that is raised keeps all that it was raised through.
    return Outcome(status="failed", reason=reason, error=Aborted(message, reason=reason.value))


def timed_out(message: str, **details: object) -> Outcome:
    return Outcome(
        status="failed",
        reason=Reason.TIMEOUT,
        error=TimedOut(message, reason=Reason.TIMEOUT.value, **details),
    )


class Sink(Protocol):
    """Where a call's answers go. Nothing here waits, and nothing may fail."""

    def answered(self, call: "Call", output: Raw) -> None:
        """One answer of a subscription: an envelope."""

    def progressed(self, call: "Call", progress: Progressed) -> None:
        """How far it has come."""

    def ended(self, call: "Call", outcome: Outcome) -> None:
        """The outcome. Said exactly once, and last."""


class Link(Protocol):
    """The way to one provider: the hub's own operations, a spoke, an upstream.

    Answers come back through `Router.responded`, `.completed`, `.failed`, `.stopped`.
    """

    def send(self, call: "Call") -> None:
        """Start the call there.

        Raises:
            Unavailable: if it was not started; somebody else may be asked.
            Busy: if it was not started, and is not to be for now.
        """

    def abort(self, call: "Call", reason: Reason) -> None:
        """Stop it there. A call that has ended there already is not an error."""


@dataclass(kw_only=True, eq=False)
class Provider:
    """Who offers operations now. `epoch` tells one connection of a spoke from the next."""

    type: str  # "spoke", "client" or "hub"
    id: str
    name: str
    link: Link
    epoch: int = 0
    account_id: str | None = None
    """Whose it is; None for the hub itself."""
    access: AccessControl = ANYBODY
    """Who may have it answer, besides what each operation asks for."""
    concurrency_max: int = 1024
    draining: bool = False
    calls: dict[str, "Call"] = field(default_factory=dict)
    turn: int = 0
    """When it was last given a call, as a number that only grows."""

    @property
    def full(self) -> bool:
        return len(self.calls) >= self.concurrency_max


class Call(CallRecord):
    """A call in flight."""

    __slots__ = (
        "aborting",
        "aside",
        "children",
        "deadline_ms",
        "definition",
        "depth",
        "due_s",
        "idle_timeout_s",
        "local_id",
        "outcome",
        "parent",
        "pinned",
        "provider",
        "request_id",
        "sink",
        "time_given",
        "tried",
    )

    def __init__(
        self,
        ask: Ask,
        *,
        id: str,
        definition: Definition,
        caller: Caller,
        sink: Sink,
        parent: "Call | None",
        created_ns: int,
    ) -> None:
        super().__init__(
            id=id,
            operation_id=definition.id,
            operation_row=definition.row,
            caller=caller,
            parent_id=ask.parent_id,
            input=ask.input,
            sensitive=definition.sensitive,
            created_ns=created_ns,
        )
        self.request_id = ask.request_id
        self.aside = ask.aside
        self.definition = definition
        self.sink = sink
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: set[Call] | None = None
        self.provider: Provider | None = None
        self.local_id = definition.id  # what the provider itself calls the operation
        self.pinned = ask.provider
        self.tried: set[Provider] | None = None
        self.deadline_ms = ask.deadline_ms
        given = ask.idle_timeout_ms if definition.streams else ask.deadline_ms
        self.time_given = given is not None  # by the caller
        self.idle_timeout_s: float | None = None
        self.due_s = 0.0  # monotonic: when it times out; 0 for never
        self.outcome: Outcome | None = None
        self.aborting: Reason | None = None

    @property
    def changes_hub(self) -> bool:
        """Whether it is a change of the hub's own, which may be the very one that shuts its caller
        out, and whose answer may hold a new secret."""
        return self.provider_id == HUB and self.definition.spec.type == "mutation"


class Explain(Protocol):
    """What the catalogue says of an operation that nobody offers now."""

    async def __call__(self, error: HubError, operation_id: str, caller: Caller) -> HubError: ...
