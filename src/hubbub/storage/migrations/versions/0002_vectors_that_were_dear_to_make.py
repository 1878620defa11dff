"""Vectors that models gave are kept by the hashes of their texts."""

import sqlalchemy as sa
from alembic import op

from hubbub.storage.schema import current_moment
from hubbub.storage.types import Timestamp

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "embeddings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", Timestamp(), nullable=False, server_default=current_moment()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embeddings")),
    )
    op.create_index("idx_embeddings_used_at", "embeddings", ["used_at"])
