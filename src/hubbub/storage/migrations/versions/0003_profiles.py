"""Chosen sets of tools that agents are shown at an address of their own."""

import sqlalchemy as sa
from alembic import op

from hubbub.storage.schema import current_moment
from hubbub.storage.types import Json, TextArray, Timestamp

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("metadata", Json(), server_default="{}"),
        sa.Column("created_at", Timestamp(), nullable=False, server_default=current_moment()),
        sa.Column("updated_at", Timestamp(), nullable=False, server_default=current_moment()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("servers", TextArray(), nullable=False),
        sa.Column("groups", TextArray(), nullable=False),
        sa.Column("tools", TextArray(), nullable=False),
        sa.Column("pinned", TextArray(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.CheckConstraint("mode IN ('tools', 'search')", name=op.f("ck_profiles_mode")),
    )
    op.create_index("unq_profiles_name", "profiles", ["name"], unique=True)
