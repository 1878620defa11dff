"""MCP servers and tools, those that can be had apart from those that run."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem

from hubbub.storage.schema import metadata, moment, one_of, partial_index
from hubbub.storage.types import Json, RawJson

# A container may have a URL too, where it is reached, but it is known by its package.
_IDENTIFIER = "(remote AND url IS NOT NULL) OR (NOT remote AND package IS NOT NULL)"


def _tool_columns(server_table: str) -> tuple[SchemaItem, ...]:
    return (
        Column("id", Text, primary_key=True),
        Column(
            "mcpserver_id",
            Text,
            ForeignKey(f"{server_table}.id", ondelete="CASCADE"),
            nullable=False,
        ),
        # Generated, so that it cannot differ from what `details` say.
        Column("name", Text, Computed("details ->> 'name'", persisted=True), nullable=False),
        Column("details", Json, nullable=False),
        Column("details_embedding", LargeBinary),
        # Of the details, and of the model and the text that the embedding is made of: what is
        # the same needs neither to be written nor to be embedded.
        Column("content_hash", Text),
        Column("embedding_key", Text),
        moment("last_updated", renewed=True),
        moment("created_at"),
    )


mcpservers_registry = Table(
    "mcpservers_registry",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text),
    Column("package", Text),
    Column("remote", Boolean, nullable=False),
    Column("transport", Text, nullable=False),
    Column("description", Text),
    Column("server_embedding", LargeBinary),
    Column("group", Text, nullable=False, server_default="default"),
    Column("source", Text, nullable=False, server_default="hand"),
    # What it is known by in the form in which like ones are alike.
    Column("match_key", Text),
    Column("definition", RawJson),
    # Of all that its source said; null while something of it has still to be worked out.
    Column("content_hash", Text),
    Column("embedding_key", Text),
    moment("last_updated", renewed=True),
    moment("created_at"),
    CheckConstraint(_IDENTIFIER, name="identifier"),
    one_of("transport", "sse", "streamable-http", "stdio"),
    partial_index(
        "idx_registry_url", "url", where="remote = true", sqlite_where="remote = 1", unique=True
    ),
    partial_index(
        "idx_registry_package",
        "package",
        where="remote = false",
        sqlite_where="remote = 0",
        unique=True,
    ),
    Index("idx_registry_remote", "remote"),
    Index("idx_registry_source", "source"),
    Index("idx_registry_match_key", "match_key"),
)

mcpservers_workload = Table(
    "mcpservers_workload",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workload_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text),
    Column("package", Text),
    Column("remote", Boolean, nullable=False),
    Column("transport", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("registry_server_id", Text, ForeignKey("mcpservers_registry.id", ondelete="SET NULL")),
    Column("registry_server_name", Text),
    Column("description", Text),
    Column("server_embedding", LargeBinary),
    Column("group", Text, nullable=False, server_default="default"),
    Column("source", Text, nullable=False, server_default="hand"),
    # What its source says its status is, and why the hub says `error` where it does.
    Column("reported_status", Text),
    Column("fault", Text),
    Column("content_hash", Text),
    moment("last_updated", renewed=True),
    moment("created_at"),
    CheckConstraint(_IDENTIFIER, name="identifier"),
    # Also when its registry server is deleted: unlink first, with a description of its own.
    CheckConstraint(
        "registry_server_id IS NOT NULL OR description IS NOT NULL", name="description"
    ),
    one_of("transport", "sse", "streamable-http", "stdio"),
    one_of("status", "running", "stopped", "error"),
    Index("unq_mcpservers_workload_workload_name", "workload_name", unique=True),
    Index("idx_workload_registry_server_id", "registry_server_id"),
    Index("idx_workload_remote", "remote"),
    Index("idx_workload_status", "status"),
    Index("idx_workload_source", "source"),
)

tools_registry = Table(
    "tools_registry",
    metadata,
    *_tool_columns("mcpservers_registry"),
    Index("unq_tools_registry_mcpserver_id_name", "mcpserver_id", "name", unique=True),
    Index("idx_tools_registry_mcpserver_id", "mcpserver_id"),
)

tools_workload = Table(
    "tools_workload",
    metadata,
    *_tool_columns("mcpservers_workload"),
    Index("unq_tools_workload_mcpserver_id_name", "mcpserver_id", "name", unique=True),
    Index("idx_tools_workload_mcpserver_id", "mcpserver_id"),
)
