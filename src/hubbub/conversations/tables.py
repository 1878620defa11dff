"""Sessions, their messages, and the parts of these."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of, partial_index
from hubbub.storage.types import Json

sessions = Table(
    "sessions",
    metadata,
    *common_columns(),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="SET NULL")),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="SET NULL")),
    Column("parent_id", Text, ForeignKey("sessions.id", ondelete="SET NULL")),
    Column("slug", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="idle"),
    # Of the shape of `data`; only a change that old readers cannot follow raises it.
    Column("version", Text, nullable=False, server_default="1"),
    # A role's name, not a reference: a session outlives the role it ran in.
    Column("role_name", Text),
    Column("data", Json),
    one_of("status", "idle", "busy", "retry", "archived"),
    Index("idx_sessions_project_id", "project_id"),
    Index("idx_sessions_workspace_id", "workspace_id"),
    Index("idx_sessions_status", "status"),
    partial_index("idx_sessions_active", "id", where="status IN ('idle', 'busy', 'retry')"),
    Index("idx_sessions_account_id", "account_id"),
    Index("idx_sessions_role_name", "role_name"),
    Index("unq_sessions_slug", "slug", unique=True),
    Index("idx_sessions_parent_id", "parent_id"),
)

messages = Table(
    "messages",
    metadata,
    *common_columns(),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("role", Text, nullable=False),
    Column("data", Json, nullable=False),
    # Ids are random, so the order of messages is (created_at, id).
    Index("idx_messages_session_id_created_at_id", "session_id", "created_at", "id"),
)

parts = Table(
    "parts",
    metadata,
    *common_columns(),
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    # Always the message's session: set with the part, never changed.
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("part_session_idx", "session_id"),
    Index("part_message_id_id_idx", "message_id", "id"),
    Index("idx_parts_session_id_type", "session_id", "type"),
)
