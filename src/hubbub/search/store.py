"""Statements about vectors that were kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update

from hubbub.search.tables import embeddings
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

UNUSED_DAYS: Final = 30
"""A vector that was of no use for this long is of a text that is gone."""
IDS_AT_ONCE: Final = 500
_COLUMNS: Final = ("id", "model", "vector", "used_at")


async def kept(tx: Transaction, ids: Sequence[str]) -> tuple[dict[str, bytes], datetime | None]:
    """Those of these vectors that are kept, and since when one of them was of no use."""
    rows: list[Row] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        rows += await tx.execute(
            select(embeddings.c.id, embeddings.c.vector, embeddings.c.used_at).where(
                embeddings.c.id.in_(ids[start : start + IDS_AT_ONCE])
            )
        )
    since = min((row.used_at for row in rows), default=None)
    return {row.id: bytes(row.vector) for row in rows}, since


async def keep(
    tx: WriteTransaction, model: str, vectors: Mapping[str, bytes], now: datetime
) -> None:
    """Keep vectors, in place of what may have been kept under their ids."""
    ids = list(vectors)
    for start in range(0, len(ids), IDS_AT_ONCE):
        await tx.execute(
            delete(embeddings).where(embeddings.c.id.in_(ids[start : start + IDS_AT_ONCE]))
        )
    await tx.insert_many(
        embeddings, _COLUMNS, [(id, model, vector, now) for id, vector in vectors.items()]
    )


async def used(tx: WriteTransaction, ids: Sequence[str], now: datetime) -> None:
    """These are of use; what no longer is goes."""
    for start in range(0, len(ids), IDS_AT_ONCE):
        await tx.execute(
            update(embeddings)
            .where(embeddings.c.id.in_(ids[start : start + IDS_AT_ONCE]))
            .values(used_at=now)
        )
    await tx.execute(
        delete(embeddings).where(embeddings.c.used_at < now - timedelta(days=UNUSED_DAYS))
    )
