"""MCP servers as callers are shown them."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from hubbub.mcpservers.model import (
    RegistryServer,
    Status,
    StoredTool,
    Transport,
    WorkloadWithRegistry,
)
from hubbub.mcpservers.polling import State
from hubbub.mcpservers.report import Report
from hubbub.mcpservers.texts import text_of


class RegistryServerView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server that can be had."""

    id: str
    name: str
    remote: bool
    url: str | None
    package: str | None
    transport: Transport
    description: str | None
    group: str
    source: str
    last_updated: datetime


class ToolView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool in one line."""

    name: str
    description: str


class RegistryServerDetails(RegistryServerView, frozen=True, kw_only=True, rename="camel"):
    """A server that can be had, with all that is known of it."""

    definition: msgspec.Raw | None
    """In the form of the official registry: packages, remotes, and the settings they need."""
    tools: list[ToolView]
    workloads: list[str]
    """Names of those that are linked to it."""


class RegistryHit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server that was found, and why."""

    server: RegistryServerView
    score: float
    matched: tuple[str, ...]
    """The words by which it was found."""
    tool: str | None
    """The tool of it that fits best, if it was found by that."""


class Hits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found."""

    items: list[RegistryHit]
    note: str | None
    """Why there is nothing, where there is nothing."""


class SourceState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How it goes with a source."""

    name: str
    every_s: float
    asked_at: datetime | None
    answered_at: datetime | None
    error: str | None
    """Why it could not be asked the last time."""
    added: int
    changed: int
    removed: int
    unchanged: int
    embedded: int
    refused: list[str]
    """What was left out of its last answer, and why."""


class RegistryStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sources: list[SourceState]


class WorkloadStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sources: list[SourceState]
    statuses: dict[str, int]
    """How many workloads there are in each status."""


class WorkloadView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server that runs, or did, with what it inherits."""

    id: str
    workload_name: str
    name: str
    remote: bool
    url: str | None
    package: str | None
    transport: Transport
    status: Status
    fault: str | None
    """Why the status is `error`, where its source says otherwise."""
    registry_server_id: str | None
    registry_server_name: str | None
    description: str | None
    """Of the registry server that it is linked to, else its own."""
    group: str
    source: str
    last_updated: datetime


class WorkloadDetails(WorkloadView, frozen=True, kw_only=True, rename="camel"):
    """A server that runs, with its tools."""

    tools: list[ToolView]


class WorkloadToolHit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool of a server that runs, and why it was found."""

    workload: str
    """The name of the workload."""
    server: str
    """The name under which it is known."""
    tool: str
    description: str
    group: str
    score: float
    matched: tuple[str, ...]


class Changed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an ingestion did."""

    added: int
    changed: int
    removed: int
    unchanged: int
    embedded: int
    refused: list[str]


def server_view(server: RegistryServer) -> RegistryServerView:
    """A registry server."""
    return RegistryServerView(
        id=server.id,
        name=server.name,
        remote=server.remote,
        url=server.url,
        package=server.package,
        transport=server.transport,
        description=server.description,
        group=server.group,
        source=server.source,
        last_updated=server.last_updated,
    )


def workload_view(joined: WorkloadWithRegistry) -> WorkloadView:
    """A workload with what it inherits."""
    workload = joined.workload
    return WorkloadView(
        id=workload.id,
        workload_name=workload.workload_name,
        name=workload.name,
        remote=workload.remote,
        url=workload.url,
        package=workload.package,
        transport=workload.transport,
        status=workload.status,
        fault=workload.fault,
        registry_server_id=workload.registry_server_id,
        registry_server_name=workload.registry_server_name,
        description=joined.effective_description,
        group=workload.group,
        source=workload.source,
        last_updated=workload.last_updated,
    )


def tool_views(tools: Iterable[StoredTool]) -> list[ToolView]:
    """Tools in one line each."""
    return [
        ToolView(name=tool.name, description=text_of(tool.details.get("description")))
        for tool in tools
    ]


def source_state(state: State) -> SourceState:
    """How it goes with a source."""
    report = state.report
    return SourceState(
        name=state.name,
        every_s=state.every_s,
        asked_at=state.asked_at,
        answered_at=state.answered_at,
        error=state.error,
        added=report.added,
        changed=report.changed,
        removed=report.removed,
        unchanged=report.unchanged,
        embedded=report.embedded,
        refused=report.refused,
    )


def changed(report: Report) -> Changed:
    """What an ingestion did."""
    return Changed(
        added=report.added,
        changed=report.changed,
        removed=report.removed,
        unchanged=report.unchanged,
        embedded=report.embedded,
        refused=report.refused,
    )
