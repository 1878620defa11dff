"""The log, its receipts, what adapters and checkpoints keep, and what is projected.

Times and JSON are text on both databases: an event reads the same wherever it is
stored, and what was appended is never reshaped.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, Text

from hubbub.storage.schema import metadata, one_of

orchestration_events = Table(
    "orchestration_events",
    metadata,
    # SQLite hands out the next number, never one twice. On PostgreSQL a sequence would
    # leave gaps and number in another order than commits, so there the writer counts.
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("event_id", Text, nullable=False),
    Column("aggregate_kind", Text, nullable=False),
    Column("stream_id", Text, nullable=False),
    Column("stream_version", Integer, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", Text, nullable=False),
    Column("command_id", Text),
    Column("causation_event_id", Text),
    Column("correlation_id", Text),
    Column("actor_kind", Text, nullable=False),
    Column("payload_json", Text, nullable=False),
    Column("metadata_json", Text, nullable=False),
    one_of("aggregate_kind", "project", "thread"),
    one_of("actor_kind", "client", "server", "provider"),
    Index("unq_orchestration_events_event_id", "event_id", unique=True),
    Index(
        "idx_orch_events_stream_version",
        "aggregate_kind",
        "stream_id",
        "stream_version",
        unique=True,
    ),
    Index("idx_orch_events_stream_sequence", "aggregate_kind", "stream_id", "sequence"),
    Index("idx_orch_events_command_id", "command_id"),
    Index("idx_orch_events_correlation_id", "correlation_id"),
    sqlite_autoincrement=True,
)

orchestration_command_receipts = Table(
    "orchestration_command_receipts",
    metadata,
    Column("command_id", Text, primary_key=True),
    Column("aggregate_kind", Text, nullable=False),
    Column("aggregate_id", Text, nullable=False),
    # Of a rejection too.
    Column("accepted_at", Text, nullable=False),
    Column("result_sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    one_of("aggregate_kind", "project", "thread"),
    one_of("status", "accepted", "rejected"),
    Index("idx_orch_command_receipts_aggregate", "aggregate_kind", "aggregate_id"),
    Index("idx_orch_command_receipts_sequence", "result_sequence"),
)

checkpoint_diff_blobs = Table(
    "checkpoint_diff_blobs",
    metadata,
    Column("thread_id", Text, nullable=False),
    Column("from_turn_count", Integer, nullable=False),
    Column("to_turn_count", Integer, nullable=False),
    Column("diff", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index(
        "unq_checkpoint_diff_blobs_thread_from_to",
        "thread_id",
        "from_turn_count",
        "to_turn_count",
        unique=True,
    ),
    Index("idx_checkpoint_diff_blobs_thread_to_turn", "thread_id", "to_turn_count"),
)

provider_session_runtime = Table(
    "provider_session_runtime",
    metadata,
    Column("provider_session_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("provider_name", Text, nullable=False),
    Column("adapter_key", Text, nullable=False),
    # The provider's own; never a thread of ours.
    Column("provider_thread_id", Text),
    Column("status", Text, nullable=False),
    Column("last_seen_at", Text, nullable=False),
    Column("resume_cursor_json", Text),
    Column("runtime_payload_json", Text),
    one_of("status", "starting", "running", "stopped", "error"),
    Index("idx_provider_session_runtime_thread", "thread_id"),
    Index("idx_provider_session_runtime_status", "status"),
    Index("idx_provider_session_runtime_provider", "provider_name"),
)

projection_projects = Table(
    "projection_projects",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("workspace_root", Text, nullable=False),
    Column("default_model", Text),
    Column("scripts_json", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("deleted_at", Text),
    Index("idx_projection_projects_updated_at", "updated_at"),
)

projection_threads = Table(
    "projection_threads",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("branch", Text),
    Column("worktree_path", Text),
    Column("latest_turn_id", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("deleted_at", Text),
    Index("idx_projection_threads_project_id", "project_id"),
)

projection_thread_messages = Table(
    "projection_thread_messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("turn_id", Text),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("is_streaming", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    one_of("role", "user", "assistant", "system"),
    CheckConstraint("is_streaming IN (0, 1)", name="is_streaming"),
    Index("idx_projection_thread_messages_thread_created", "thread_id", "created_at"),
)

projection_thread_activities = Table(
    "projection_thread_activities",
    metadata,
    # The id of the event it is made from.
    Column("activity_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("turn_id", Text),
    Column("tone", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("payload_json", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    one_of("tone", "info", "tool", "approval", "error"),
    Index("idx_projection_thread_activities_thread_created", "thread_id", "created_at"),
)

projection_thread_sessions = Table(
    "projection_thread_sessions",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("provider_name", Text),
    Column("provider_session_id", Text),
    Column("provider_thread_id", Text),
    Column("active_turn_id", Text),
    Column("last_error", Text),
    Column("updated_at", Text, nullable=False),
    one_of("status", "idle", "starting", "running", "ready", "interrupted", "stopped", "error"),
    Index("idx_projection_thread_sessions_provider_session", "provider_session_id"),
)

projection_thread_turns = Table(
    "projection_thread_turns",
    metadata,
    Column("turn_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("turn_count", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("user_message_id", Text),
    Column("assistant_message_id", Text),
    Column("started_at", Text, nullable=False),
    Column("completed_at", Text),
    one_of("status", "running", "completed", "interrupted", "error"),
    Index("unq_projection_thread_turns_thread_turn_count", "thread_id", "turn_count", unique=True),
    Index("idx_projection_thread_turns_thread_turn_count", "thread_id", "turn_count"),
)

projection_checkpoints = Table(
    "projection_checkpoints",
    metadata,
    Column("thread_id", Text, nullable=False),
    Column("turn_id", Text, nullable=False),
    Column("checkpoint_turn_count", Integer, nullable=False),
    Column("checkpoint_ref", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("files_json", Text, nullable=False),
    Column("assistant_message_id", Text),
    Column("completed_at", Text, nullable=False),
    one_of("status", "ready", "missing", "error"),
    Index(
        "unq_projection_checkpoints_thread_turn_count",
        "thread_id",
        "checkpoint_turn_count",
        unique=True,
    ),
    Index("idx_projection_checkpoints_thread_completed", "thread_id", "completed_at"),
)

projection_pending_approvals = Table(
    "projection_pending_approvals",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("turn_id", Text),
    Column("status", Text, nullable=False),
    # Null while it waits.
    Column("decision", Text),
    Column("created_at", Text, nullable=False),
    Column("resolved_at", Text),
    one_of("status", "pending", "resolved"),
    one_of("decision", "accept", "acceptForSession", "decline", "cancel"),
    Index("idx_projection_pending_approvals_thread_status", "thread_id", "status"),
)

projection_state = Table(
    "projection_state",
    metadata,
    Column("projector", Text, primary_key=True),
    Column("last_applied_sequence", BigInteger, nullable=False),
    Column("updated_at", Text, nullable=False),
)
