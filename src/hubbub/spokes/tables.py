"""Spokes."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of, partial_index
from hubbub.storage.types import Json, Timestamp

spokes = Table(
    "spokes",
    metadata,
    *common_columns(),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="connected"),
    Column("spoke_type", Text, nullable=False),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="SET NULL")),
    Column("last_heartbeat", Timestamp),
    Column("host_info", Json),
    Column("connected_at", Timestamp),
    # Null while connected.
    Column("disconnected_at", Timestamp),
    one_of("status", "connected", "disconnected"),
    one_of("spoke_type", "dev-env", "client", "compute"),
    Index("idx_spokes_project_id", "project_id"),
    Index("idx_spokes_status", "status"),
    partial_index("idx_spokes_active", "id", where="status = 'connected'"),
    Index("idx_spokes_name", "name"),
)
