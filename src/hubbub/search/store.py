"""Statements about vectors that were kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update

from hubbub.search.tables import embeddings
from hubbub.storage.transaction import Transaction, WriteTransaction

UNUSED_DAYS: Final = 30
"""A vector that nobody read for this long is of a text that is gone."""
_COLUMNS: Final = ("model", "content_hash", "vector", "used_at")


async def kept(
    tx: Transaction, model: str, hashes: Sequence[str]
) -> tuple[dict[str, bytes], datetime | None]:
    """Those of these vectors that are kept, and when the one was used that was used longest ago."""
    rows = await tx.execute(
        select(embeddings.c.content_hash, embeddings.c.vector, embeddings.c.used_at).where(
            embeddings.c.model == model, embeddings.c.content_hash.in_(hashes)
        )
    )
    oldest = min((row.used_at for row in rows), default=None)
    return {row.content_hash: bytes(row.vector) for row in rows}, oldest


async def keep(
    tx: WriteTransaction, model: str, vectors: Mapping[str, bytes], now: datetime
) -> None:
    """Keep vectors by the hashes of their texts."""
    await tx.execute(
        delete(embeddings).where(
            embeddings.c.model == model, embeddings.c.content_hash.in_(list(vectors))
        )
    )
    rows = [(model, content_hash, vector, now) for content_hash, vector in vectors.items()]
    await tx.insert_many(embeddings, _COLUMNS, rows)


async def used(tx: WriteTransaction, model: str, hashes: Sequence[str], now: datetime) -> None:
    """These are still in use; what nobody uses any more goes."""
    await tx.execute(
        update(embeddings)
        .where(embeddings.c.model == model, embeddings.c.content_hash.in_(hashes))
        .values(used_at=now)
    )
    await tx.execute(
        delete(embeddings).where(embeddings.c.used_at < now - timedelta(days=UNUSED_DAYS))
    )
