"""Vectors that were dear to make."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from hubbub.storage.schema import metadata, moment

embeddings = Table(
    "embeddings",
    metadata,
    # SHA-256 of the model's id and the text, in hex. The text itself is not kept.
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    # Little-endian float32, as many as the model has dimensions.
    Column("vector", LargeBinary, nullable=False),
    moment("used_at"),
    Index("idx_embeddings_used_at", "used_at"),
)
