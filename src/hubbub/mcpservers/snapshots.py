"""What a source says, all at once: plain data, whoever it comes from.

What others say is bounded here, and what no database could keep is left out by name, so that one
bad tool costs one tool.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import Status, Transport

TOOL_BYTES_MAX: Final = 256 * 1024
TOOLS_MAX: Final = 10_000
NAME_CHARS_MAX: Final = 512
DESCRIPTION_CHARS_MAX: Final = 8_000
DEFINITION_BYTES_MAX: Final = 256 * 1024
REFUSALS_MAX: Final = 100

_canonical: Final = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool as its server describes it: all of it, so that a change of anything is a change."""

    name: str
    details: Mapping[str, object]
    encoded: bytes
    """The details as JSON with sorted keys."""

    @property
    def hash(self) -> str:
        return _digest(self.encoded)

    @classmethod
    def of(cls, said: object) -> "Tool":
        """
        Raises:
            Invalid: if it is no tool, or none that can be kept.
        """
        if not isinstance(said, Mapping):
            raise _unfit("tool", "an object")
        name = said.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX:
            raise _unfit("name", f"1 to {NAME_CHARS_MAX} characters")
        return cls(name=name, details=said, encoded=_kept(said, TOOL_BYTES_MAX, name))


def tools_of(said: Iterable[object]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools in what a server says, and what is wrong with those that are left out."""
    tools: dict[str, Tool] = {}
    refused: list[str] = []
    for each in said:
        try:
            tool = Tool.of(each)
            if tool.name in tools:
                raise _unfit(tool.name, "one tool of each name")
            if len(tools) == TOOLS_MAX:
                raise _unfit("tools", f"at most {TOOLS_MAX}")
        except Invalid as error:
            refused.append(error.message)
            if len(refused) == REFUSALS_MAX:
                break
        else:
            tools[tool.name] = tool
    return tuple(tools.values()), tuple(refused)


@dataclass(frozen=True, kw_only=True)
class RegistryEntry:
    """A server that can be had, as a source says."""

    name: str
    identity: Identity
    transport: Transport
    url: str | None = None
    """Also of a container, if it is known where it is reached."""
    description: str | None = None
    group: str = "default"
    definition: Mapping[str, object] | None = None
    """In the form of the official registry's `server.json`."""
    tools: tuple[Tool, ...] | None = None
    """None if the source does not say which tools it has."""

    @property
    def hash(self) -> str:
        said = (
            self.name, self.identity.remote, self.identity.url, self.identity.package, self.url,
            self.transport, self.description, self.group, self.definition, _said(self.tools),
        )  # fmt: skip
        return _digest(_canonical(said))


@dataclass(frozen=True, kw_only=True)
class WorkloadEntry:
    """A server that runs, as a source says."""

    workload_name: str
    name: str
    identity: Identity
    transport: Transport
    status: Status
    url: str | None = None
    """Where it is reached, which need not be what it is known by."""
    description: str | None = None
    group: str = "default"
    tools: tuple[Tool, ...] | None = None
    """None if they could not be asked for: those that are known stay."""

    @property
    def hash(self) -> str:
        said = (
            self.name, self.identity.remote, self.identity.url, self.identity.package, self.url,
            self.transport, self.status, self.description, self.group, _said(self.tools),
        )  # fmt: skip
        return _digest(_canonical(said))


@dataclass(frozen=True, kw_only=True)
class RegistrySnapshot:
    """What a registry has now, or what changed in it."""

    source: str
    servers: tuple[RegistryEntry, ...]
    complete: bool = True
    """Whether what is not here is gone."""
    whole: bool = True
    """Whether a server that is said is said with all that it is known by."""
    gone: tuple[str, ...] = ()
    """Names of servers that are gone, where not all is said."""
    refused: tuple[str, ...] = ()
    """What is wrong with what the source said besides."""


@dataclass(frozen=True, kw_only=True)
class WorkloadSnapshot:
    """What runs now."""

    source: str
    workloads: tuple[WorkloadEntry, ...]
    unclear: frozenset[str] = field(default_factory=frozenset)
    """Names of workloads that are there, but could not be asked this time: they stay as they are.
    """
    refused: tuple[str, ...] = ()


def fit(entry: RegistryEntry | WorkloadEntry) -> None:
    """
    Raises:
        Invalid: if the entry could not be kept.
    """
    names = [entry.name, entry.group]
    if isinstance(entry, WorkloadEntry):
        names.append(entry.workload_name)
    for name in names:
        if not name.strip() or len(name) > NAME_CHARS_MAX:
            raise _unfit(name[:100] or "name", f"1 to {NAME_CHARS_MAX} characters")
    if not (entry.identity.url if entry.identity.remote else entry.identity.package):
        raise _unfit(entry.name, "a URL of a remote server, a package of any other")
    said: list[object] = [*names, entry.description, entry.url, entry.identity]
    if isinstance(entry, RegistryEntry):
        said.append(entry.definition)
    _kept(said, DEFINITION_BYTES_MAX, entry.name)


def _kept(said: object, bytes_max: int, name: str) -> bytes:
    try:
        encoded = _canonical(said)
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, RecursionError) as error:
        raise _unfit(name, "what JSON can say") from error
    if len(encoded) > bytes_max:
        raise _unfit(name, f"at most {bytes_max} bytes")
    # One database keeps it and the other does not, so neither is given it.
    if b"\\u0000" in encoded:
        raise _unfit(name, "text without U+0000")
    return encoded


def _said(tools: tuple[Tool, ...] | None) -> list[str] | None:
    return None if tools is None else sorted(tool.hash for tool in tools)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unfit(field_name: str, expected: str) -> Invalid:
    return Invalid(
        f"{field_name}: expected {expected}",
        errors=[{"field": field_name, "expected": expected}],
    )
