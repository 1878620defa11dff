"""The call graph: every call, and what led to which."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of
from hubbub.storage.types import Json, Timestamp

call_graph_nodes = Table(
    "call_graph_nodes",
    metadata,
    *common_columns(),
    Column("request_id", Text, nullable=False),
    # A record always says what was called. Before a definition can be deleted,
    # its records are given to the operation `__removed__`.
    Column("operation_id", Text, ForeignKey("operations.id", ondelete="RESTRICT"), nullable=False),
    Column("parent_request_id", Text),
    Column("identity", Json),
    Column("caller_account_id", Text, ForeignKey("accounts.id", ondelete="SET NULL")),
    Column("status", Text, nullable=False, server_default="pending"),
    # Null where records of the operation are withheld.
    Column("input", Json),
    Column("output", Json),
    Column("error", Json),
    Column("started_at", Timestamp),
    Column("completed_at", Timestamp),
    one_of("status", "pending", "running", "completed", "failed", "aborted"),
    Index("idx_call_graph_nodes_request_id", "request_id", unique=True),
    Index("idx_call_graph_nodes_operation_id", "operation_id"),
    Index("idx_call_graph_nodes_status", "status"),
    Index("idx_call_graph_nodes_caller_account_id", "caller_account_id"),
    Index("idx_call_graph_nodes_created_at", "created_at"),
    Index("idx_call_graph_nodes_operation_created", "operation_id", "created_at"),
    Index("idx_call_graph_nodes_started_at", "started_at"),
)

call_graph_edges = Table(
    "call_graph_edges",
    metadata,
    *common_columns(),
    Column(
        "source_id", Text, ForeignKey("call_graph_nodes.id", ondelete="CASCADE"), nullable=False
    ),
    Column(
        "target_id", Text, ForeignKey("call_graph_nodes.id", ondelete="CASCADE"), nullable=False
    ),
    Column("edge_type", Text, nullable=False),
    one_of("edge_type", "triggered", "depends_on"),
    Index("idx_call_graph_edges_source_id", "source_id"),
    Index("idx_call_graph_edges_target_id", "target_id"),
    Index("idx_call_graph_edges_source_id_type", "source_id", "edge_type"),
    # Absorbs what retries and reconnections say twice.
    Index(
        "unq_call_graph_edges_source_target_type",
        "source_id",
        "target_id",
        "edge_type",
        unique=True,
    ),
)
