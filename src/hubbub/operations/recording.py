"""A call began, a call ended: told to whoever keeps account of it."""

from typing import Literal, Protocol

from msgspec import Raw

from hubbub.kernel.errors import HubError
from hubbub.operations.context import Caller

Status = Literal["pending", "running", "completed", "failed", "aborted"]


class CallRecord:
    """What is remembered of a call. Mutable while it runs: one object from its first moment to its
    last keeps the busiest path free of copies."""

    __slots__ = (
        "answers",
        "caller",
        "created_ns",
        "ended_ns",
        "error",
        "id",
        "input",
        "operation_id",
        "operation_row",
        "output",
        "parent_id",
        "provider_id",
        "sensitive",
        "started_ns",
        "status",
    )

    def __init__(
        self,
        *,
        id: str,
        operation_id: str,
        operation_row: str,
        caller: Caller,
        parent_id: str | None,
        input: Raw,
        sensitive: bool,
        created_ns: int,
    ) -> None:
        self.id = id
        self.operation_id = operation_id
        self.operation_row = operation_row
        self.caller = caller
        self.parent_id = parent_id
        self.input = input
        self.sensitive = sensitive
        self.created_ns = created_ns  # wall clock, nanoseconds, as the others below
        self.started_ns = 0
        self.ended_ns = 0
        self.status: Status = "pending"
        self.output: Raw | bytes | None = None
        self.error: HubError | None = None
        self.answers = 0
        self.provider_id: str | None = None


class Recorder(Protocol):
    """Keeps account of calls. Called on the busiest path: it returns at once and never fails."""

    @property
    def behind(self) -> bool:
        """Whether it has so much to write that no more calls should begin."""

    def began(self, call: CallRecord) -> None:
        """The call was accepted, or refused: `ended` tells."""

    def ended(self, call: CallRecord) -> None:
        """The call reached its one outcome."""
