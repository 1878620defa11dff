"""Projects and the places where they are worked on."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of
from hubbub.storage.types import Json

projects = Table(
    "projects",
    metadata,
    *common_columns(),
    # Null for a personal project.
    Column("org_id", Text, ForeignKey("organizations.id", ondelete="SET NULL")),
    Column("name", Text, nullable=False),
    Column("directory", Text),
    Column("repo_url", Text),
    Column("vcs", Text, server_default="git"),
    Column("icon_url", Text),
    Column("icon_color", Text),
    Index("idx_projects_org_id", "org_id"),
)

workspaces = Table(
    "workspaces",
    metadata,
    *common_columns(),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("type", Text, nullable=False),
    Column("branch", Text),
    Column("name", Text),
    Column("directory", Text),
    Column("extra", Json),
    one_of("type", "local", "remote", "container"),
    Index("idx_workspaces_project_id", "project_id"),
)
