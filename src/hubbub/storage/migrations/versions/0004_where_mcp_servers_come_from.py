"""Where MCP servers come from, and what of them is known to be unchanged."""

import sqlalchemy as sa
from alembic import op

from hubbub.storage.types import Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("mcpservers_registry", "mcpservers_workload"):
        op.add_column(table, sa.Column("source", sa.Text(), nullable=False, server_default="hand"))
        op.add_column(table, sa.Column("content_hash", sa.Text()))
    op.add_column("mcpservers_registry", sa.Column("match_key", sa.Text()))
    op.add_column("mcpservers_registry", sa.Column("definition", Json()))
    op.add_column("mcpservers_registry", sa.Column("embedding_key", sa.Text()))
    op.add_column("mcpservers_workload", sa.Column("reported_status", sa.Text()))
    op.add_column("mcpservers_workload", sa.Column("fault", sa.Text()))
    for table in ("tools_registry", "tools_workload"):
        op.add_column(table, sa.Column("content_hash", sa.Text()))
        op.add_column(table, sa.Column("embedding_key", sa.Text()))
    op.create_index("idx_registry_source", "mcpservers_registry", ["source"])
    op.create_index("idx_registry_match_key", "mcpservers_registry", ["match_key"])
    op.create_index("idx_workload_source", "mcpservers_workload", ["source"])
