"""What is known of MCP servers: those that can be had, those that run, and the tools of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from hubbub.mcpservers.matching import Identity

Transport = Literal["sse", "streamable-http", "stdio"]
Status = Literal["running", "stopped", "error"]
Side = Literal["registry", "workload"]

RUNNING: Final = "running"
ERROR: Final = "error"
BY_HAND: Final = "hand"
"""The source of what somebody added by an operation, and no poll takes away."""


@dataclass(frozen=True, kw_only=True)
class RegistryServer:
    """A server that can be had: remote ones are known by their URL, others by their package."""

    id: str
    name: str
    url: str | None
    package: str | None
    remote: bool
    transport: Transport
    description: str | None
    server_embedding: bytes | None
    group: str
    source: str
    definition: msgspec.Raw | None
    """The entry in the form of the official registry, for whoever installs it."""
    content_hash: str | None
    """Of all that its source said; None while something of it has still to be worked out."""
    embedding_key: str | None
    last_updated: datetime
    created_at: datetime

    @property
    def identity(self) -> Identity:
        return Identity(remote=self.remote, url=self.url, package=self.package)


@dataclass(frozen=True, kw_only=True)
class WorkloadServer:
    """A server that runs, or did."""

    id: str
    workload_name: str
    name: str
    url: str | None
    package: str | None
    remote: bool
    transport: Transport
    status: Status
    registry_server_id: str | None
    registry_server_name: str | None
    description: str | None
    """Its own, also while it is linked: what it inherits is read where it stands."""
    server_embedding: bytes | None
    group: str
    source: str
    reported_status: Status | None
    """What its source says."""
    fault: str | None
    """Why the hub says `error` where its source does not: its tools could not be embedded."""
    content_hash: str | None
    last_updated: datetime
    created_at: datetime

    @property
    def identity(self) -> Identity:
        return Identity(remote=self.remote, url=self.url, package=self.package)

    @property
    def name_for_tools(self) -> str:
        """The name in whose context its tools are embedded."""
        return self.registry_server_name or self.name


@dataclass(frozen=True, kw_only=True)
class WorkloadWithRegistry:
    """A server that runs, with what it inherits."""

    workload: WorkloadServer
    registry: RegistryServer | None

    @property
    def effective_description(self) -> str | None:
        inherited = self.registry.description if self.registry else None
        return inherited or self.workload.description

    @property
    def effective_embedding(self) -> bytes | None:
        inherited = self.registry.server_embedding if self.registry else None
        return inherited or self.workload.server_embedding

    @property
    def server_name_for_tools(self) -> str:
        return self.registry.name if self.registry else self.workload.name_for_tools


@dataclass(frozen=True, kw_only=True)
class StoredTool:
    """A tool, as it is kept."""

    id: str
    mcpserver_id: str
    name: str
    details: Mapping[str, object]
    details_embedding: bytes | None
    content_hash: str | None
    embedding_key: str | None
    """Of the model and the text that the embedding was made by and of."""
    last_updated: datetime
    created_at: datetime
