"""Who works on what for whom, and what was seen to go wrong."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of
from hubbub.storage.types import Json, Timestamp

mappings = Table(
    "mappings",
    metadata,
    *common_columns(),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("spoke_id", Text, ForeignKey("spokes.id", ondelete="SET NULL")),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="SET NULL")),
    # The coordinator's.
    Column("parent_session_id", Text, ForeignKey("sessions.id", ondelete="SET NULL")),
    Column("task_id", Text, ForeignKey("tasks.id", ondelete="SET NULL")),
    # The task's slug when the mapping was made.
    Column("task", Text),
    Column("status", Text, nullable=False, server_default="active"),
    one_of("status", "active", "completed", "aborted", "failed"),
    Index("idx_mappings_session_id", "session_id"),
    Index("idx_mappings_parent_session_id", "parent_session_id"),
    Index("idx_mappings_spoke_id", "spoke_id"),
    Index("idx_mappings_task_id", "task_id"),
    Index("idx_mappings_workspace_id", "workspace_id"),
)

detections = Table(
    "detections",
    metadata,
    *common_columns(),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("anomaly_type", Text, nullable=False),
    Column("severity", Text),
    Column("details", Json),
    # Sightings with the same key are one anomaly for as long as it stands.
    Column("dedup_key", Text),
    # Null while it stands.
    Column("resolved_at", Timestamp),
    Column("resolved_by", Text, ForeignKey("accounts.id", ondelete="SET NULL")),
    Index("idx_detections_session_id", "session_id"),
    Index("idx_detections_anomaly_type", "anomaly_type"),
    Index("idx_detections_resolved_at", "resolved_at"),
    Index("idx_detections_dedup_key", "dedup_key"),
)
