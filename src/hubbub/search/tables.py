"""Vectors that were dear to make."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from hubbub.storage.schema import metadata, moment

embeddings = Table(
    "embeddings",
    metadata,
    Column("model", Text, primary_key=True),
    # Of the text: SHA-256, in hex. The text itself is not kept.
    Column("content_hash", Text, primary_key=True),
    # Little-endian float32, as many as the model has dimensions.
    Column("vector", LargeBinary, nullable=False),
    moment("used_at"),
    Index("idx_embeddings_used_at", "used_at"),
)
