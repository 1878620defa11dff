"""Tasks, and which must be done before which."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of, partial_index
from hubbub.storage.types import Number, TextArray, Timestamp

# What an author writes is kept by sync; `status`, `started_at` and `completed_at`
# change through operations only. A null category has not been assessed.
tasks = Table(
    "tasks",
    metadata,
    *common_columns(),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("slug", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("scope", Text),
    Column("risk", Text),
    Column("impact", Text),
    Column("level", Text),
    Column("priority", Text),
    Column("tags", TextArray),
    Column("assignee", Text),
    Column("due_at", Timestamp),
    Column("body", Text),
    Column("file_created_at", Timestamp),
    Column("file_modified_at", Timestamp),
    Column("started_at", Timestamp),
    Column("completed_at", Timestamp),
    one_of("status", "pending", "in-progress", "completed", "failed", "blocked"),
    one_of("scope", "single", "narrow", "moderate", "broad", "system"),
    one_of("risk", "trivial", "low", "medium", "high", "critical"),
    one_of("impact", "isolated", "component", "phase", "project"),
    one_of("level", "planning", "decomposition", "implementation", "review", "research"),
    one_of("priority", "low", "medium", "high", "critical"),
    Index("unq_tasks_project_slug", "project_id", "slug", unique=True),
    Index("idx_tasks_project_id", "project_id"),
    Index("idx_tasks_project_status", "project_id", "status"),
    Index("idx_tasks_status", "status"),
    partial_index(
        "idx_tasks_active", "id", where="status IN ('pending', 'in-progress', 'blocked')"
    ),
    # Found by prefix whatever the locale; SQLite compares bytes anyway.
    Index("idx_tasks_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
    Index("idx_tasks_priority", "priority"),
    Index("idx_tasks_assignee", "assignee"),
    Index("idx_tasks_due_at", "due_at"),
    Index("idx_tasks_tags", "tags", postgresql_using="gin"),
)

task_dependencies = Table(
    "task_dependencies",
    metadata,
    *common_columns(),
    # The prerequisite.
    Column("depends_on_task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    # The task that waits for it.
    Column("dependent_task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    Column("quality_retention", Number),
    CheckConstraint("depends_on_task_id <> dependent_task_id", name="not_itself"),
    Index(
        "unq_task_dependencies_depends_on_task",
        "depends_on_task_id",
        "dependent_task_id",
        unique=True,
    ),
    Index("idx_task_dependencies_depends_on_task_id", "depends_on_task_id"),
    Index("idx_task_dependencies_dependent_task_id", "dependent_task_id"),
)
