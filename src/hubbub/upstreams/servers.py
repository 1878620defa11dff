"""The MCP servers that the hub is connected to, as those see them who show them to others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hubbub.protocol.specs import OperationSpec
from hubbub.upstreams.mcp.session import Era


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, and what it listed last."""

    client_id: str
    name: str
    group: str
    era: Era
    capabilities: Mapping[str, Any]
    info: Mapping[str, Any]
    instructions: str | None
    tools: tuple[OperationSpec, ...]
    """As operations; `offers.listed` gives back what the server said of one."""
    resources: tuple[Mapping[str, Any], ...]
    templates: tuple[Mapping[str, Any], ...]
    prompts: tuple[Mapping[str, Any], ...]


class Servers(Protocol):
    """Which servers are connected now."""

    def all(self) -> Sequence[Server]:
        """In the order of their names."""


@dataclass(frozen=True, kw_only=True)
class ServerChanged:
    """A server came, left, or lists something else."""

    client_id: str
    what: frozenset[str]
    """Of `tools`, `resources` and `prompts`, what changed."""


@dataclass(frozen=True, kw_only=True)
class ResourceUpdated:
    """A server says that a resource has changed."""

    client_id: str
    uri: str
