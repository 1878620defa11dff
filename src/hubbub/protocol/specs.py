"""What a spoke tells of itself and of its operations: the input of `hub.register`."""

import re
from typing import Annotated, Final, Literal

import msgspec

from hubbub.kernel.limits import NAME_CHARS_MAX
from hubbub.protocol.signatures import OperationType

SpokeType = Literal["dev-env", "client", "compute"]

NAMESPACE = r"^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$"
NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"


class AccessControl(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Who may call. Requirements without an identity are refused; none at all is open."""

    required_scopes: tuple[str, ...] = ()
    """All of these."""
    required_scopes_any: tuple[str, ...] = ()
    """At least one of these."""
    resource_type: str | None = None
    resource_action: str | None = None
    """With `resourceType`: some resource of that type on which this action is granted."""


ANYBODY: Final = AccessControl()


class ErrorDefinition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An error that an operation declares."""

    code: str
    description: str
    schema: dict[str, object] = {}
    http_status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    """For a code of the operation's own; those of the hub have theirs."""


class OperationSpec(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The definition of an operation, as its provider states it. Its id is `namespace.name`."""

    namespace: str
    name: str
    type: OperationType
    description: str
    version: str = "1.0.0"
    title: str | None = None
    tags: tuple[str, ...] = ()
    input_schema: dict[str, object] | bool = {}
    output_schema: dict[str, object] | bool = {}
    error_schemas: tuple[ErrorDefinition, ...] = ()
    access_control: AccessControl = AccessControl()
    idempotent: bool = False
    """Whether the hub may send it again after its provider was lost in the middle."""
    shared: bool = False
    """Registered under its own name, beside other providers of the same contract; otherwise the
    spoke's id is put after the first segment of the namespace."""
    meta: dict[str, object] = msgspec.field(default={}, name="_meta")

    def __post_init__(self) -> None:
        _require(NAMESPACE, "namespace", self.namespace)
        _require(NAME, "name", self.name)

    @property
    def id(self) -> str:
        return f"{self.namespace}.{self.name}"


class HostInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The machine on which a spoke runs."""

    os: str = ""
    arch: str = ""
    python_version: str = ""
    memory: int = 0  # bytes
    cpu: int = 0  # cores


class Registration(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """Input of `hub.register`: the whole of what the spoke offers from now on."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    spoke_type: SpokeType
    operations: tuple[OperationSpec, ...]
    spoke_id: str | None = None
    """As an earlier registration answered; without it the spoke is known by its name."""
    project_id: str | None = None
    host_info: HostInfo = HostInfo()
    concurrency_max: Annotated[int, msgspec.Meta(ge=1)] = 64
    """Calls that the spoke takes at once; the hub sends no more."""


class Registered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One operation as the hub now knows it."""

    operation_id: str
    pre_remap_id: str


class RegistrationResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Output of `hub.register`."""

    spoke_id: str
    epoch: int
    """Grows with every connection of the spoke; a newer one fences an older."""
    operations: list[Registered]


def _require(pattern: str, field: str, value: str) -> None:
    if len(value) > NAME_CHARS_MAX or not re.fullmatch(pattern, value):
        raise ValueError(f"{field} {value[:NAME_CHARS_MAX]!r} does not match {pattern}")
