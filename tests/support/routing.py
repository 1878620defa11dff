"""What stands around a router in its tests: definitions, callers, providers, sinks."""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from hubbub.calls.model import Ask, Call, Outcome, Provider, Reason
from hubbub.catalog.model import Definition, defined
from hubbub.operations.access import Identity
from hubbub.operations.context import Caller
from hubbub.protocol.envelope import local
from hubbub.protocol.frames import EMPTY_INPUT, Progressed
from hubbub.protocol.specs import OperationSpec

ADA = Caller(identity=Identity(id="ada"))
BOB = Caller(identity=Identity(id="bob"))


def definition(id: str, type: str = "query", *, idempotent: bool = False, **more) -> Definition:
    namespace, _, name = id.rpartition(".")
    spec = OperationSpec(
        namespace=namespace,
        name=name,
        type=type,
        description=id,
        idempotent=idempotent,
        **more,
    )
    return defined(f"row of {id}", spec)


def ask(id: str, parent: Call | None = None, **more) -> Ask:
    parent_id = None if parent is None else parent.id
    return Ask(operation_id=id, parent_id=parent_id, input=EMPTY_INPUT, **more)


def answer(data: object = None) -> Raw:
    return Raw(local("test.answer", data))


def data_of(output: Raw) -> object:
    return msgspec.json.decode(output)["data"]


class Wire:
    """A link that notes what goes over it, and does what it is told to on the way."""

    def __init__(self) -> None:
        self.sent: list[Call] = []
        self.aborts: list[tuple[Call, Reason]] = []
        self.on_send: Callable[[Call], None] = _nothing
        self.on_abort: Callable[[Call], None] = _nothing

    def send(self, call: Call) -> None:
        self.on_send(call)
        self.sent.append(call)

    def abort(self, call: Call, reason: Reason) -> None:
        self.aborts.append((call, reason))
        self.on_abort(call)


class Heard:
    """A sink that notes what it hears."""

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.progress: list[float] = []
        self.ends: list[Outcome] = []
        self.on_end: Callable[[Call], None] = _nothing

    def answered(self, call: Call, output: Raw) -> None:
        assert not self.ends
        self.answers.append(data_of(output))

    def progressed(self, call: Call, progress: Progressed) -> None:
        assert not self.ends
        self.progress.append(progress.progress)

    def ended(self, call: Call, outcome: Outcome) -> None:
        assert not self.ends
        self.ends.append(outcome)
        self.on_end(call)

    @property
    def end(self) -> tuple[str, str | None]:
        """The status, and why."""
        (outcome,) = self.ends
        return outcome.status, outcome.error.name if outcome.error is not None else None


class Ledger:
    """A recorder that notes in which order calls began and ended."""

    behind = False

    def __init__(self) -> None:
        self.began_ids: list[str] = []
        self.ended_ids: list[str] = []

    def began(self, call: Call) -> None:
        self.began_ids.append(call.id)

    def ended(self, call: Call) -> None:
        self.ended_ids.append(call.id)


def provider(id: str, **more) -> Provider:
    return Provider(type="spoke", id=id, name=f"{id}'s name", link=Wire(), **more)


def _nothing(call: Call) -> None:
    pass
