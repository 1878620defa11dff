"""Statements about the tools of servers, on both sides alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Table, bindparam, delete, select, update

from hubbub.kernel.errors import NotFound
from hubbub.kernel.ids import new_id
from hubbub.mcpservers.model import Side, StoredTool
from hubbub.mcpservers.snapshots import Tool
from hubbub.mcpservers.tables import tools_registry, tools_workload
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

AT_ONCE: Final = 500
TABLES: Final[dict[Side, Table]] = {"registry": tools_registry, "workload": tools_workload}
_COLUMNS: Final = (
    "id", "mcpserver_id", "details", "details_embedding", "content_hash", "embedding_key",
    "last_updated", "created_at",
)  # fmt: skip
_ROW: Final[BindParameter[str]] = bindparam("row")
_CHANGE: Final = {side: update(t).where(t.c.id == _ROW) for side, t in TABLES.items()}
_OF_SERVER: Final = {
    side: select(t).where(t.c.mcpserver_id == bindparam("server")).order_by(t.c.name)
    for side, t in TABLES.items()
}

_VECTORS: Final = {
    side: select(t.c.details_embedding)
    .where(t.c.mcpserver_id == bindparam("server"), t.c.details_embedding.is_not(None))
    .order_by(t.c.name)
    for side, t in TABLES.items()
}


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """A tool and its meaning; both None while that is not known."""

    tool: Tool
    embedding: bytes | None
    key: str | None


@dataclass(frozen=True, kw_only=True)
class Known:
    """What of a stored tool says whether it has changed."""

    id: str
    server: str
    name: str
    hash: str | None
    key: str | None


@dataclass(frozen=True, kw_only=True)
class Upserted:
    """What an upsert wrote: nothing, where nothing has changed."""

    put: tuple[StoredTool, ...]
    removed: tuple[str, ...]


async def get(tx: Transaction, side: Side, id: str) -> StoredTool:
    """
    Raises:
        NotFound: if there is none.
    """
    table = TABLES[side]
    row = (await tx.execute(select(table).where(table.c.id == id))).one_or_none()
    if row is None:
        raise NotFound(f"no tool {id}", tool=id)
    return _tool(row)


async def get_named(tx: Transaction, side: Side, server: str, name: str) -> StoredTool:
    """
    Raises:
        NotFound: if the server has none of this name.
    """
    table = TABLES[side]
    row = (
        await tx.execute(select(table).where(table.c.mcpserver_id == server, table.c.name == name))
    ).one_or_none()
    if row is None:
        raise NotFound(f"no tool {name}", tool=name, server=server)
    return _tool(row)


async def of_server(tx: Transaction, side: Side, server: str) -> list[StoredTool]:
    """The tools of a server, in the order of their names."""
    return [_tool(row) for row in await tx.execute(_OF_SERVER[side], server=server)]


async def vectors(tx: Transaction, side: Side, server: str) -> list[bytes]:
    """The embeddings of the tools of a server, in the order of their names."""
    rows = await tx.execute(_VECTORS[side], server=server)
    return [row.details_embedding for row in rows]


async def page(tx: Transaction, side: Side, after: str, limit: int) -> list[StoredTool]:
    """All tools, in the order of their ids."""
    table = TABLES[side]
    rows = await tx.execute(
        select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    )
    return [_tool(row) for row in rows]


async def known(tx: Transaction, side: Side, servers: Sequence[str]) -> dict[str, list[Known]]:
    """What is known of the tools of these servers, without what they say."""
    table: Any = TABLES[side]
    found: dict[str, list[Known]] = {server: [] for server in servers}
    columns = [
        table.c[name] for name in ("id", "mcpserver_id", "name", "content_hash", "embedding_key")
    ]
    for start in range(0, len(servers), AT_ONCE):
        part = servers[start : start + AT_ONCE]
        for row in await tx.execute(select(*columns).where(table.c.mcpserver_id.in_(part))):
            found[row.mcpserver_id].append(
                Known(
                    id=row.id,
                    server=row.mcpserver_id,
                    name=row.name,
                    hash=row.content_hash,
                    key=row.embedding_key,
                )
            )
    return found


async def bulk_upsert(
    tx: WriteTransaction, side: Side, server: str, tools: Sequence[Embedded], now: datetime
) -> Upserted:
    """Bring the tools of a server in step with these, row by row: what has not changed is not
    written, and keeps its id."""
    there = {each.name: each for each in (await known(tx, side, [server]))[server]}
    said = {each.tool.name: each for each in tools}
    removed = tuple(sorted(old.id for name, old in there.items() if name not in said))
    await _delete(tx, side, removed)
    ids: list[str] = []
    added: list[tuple[object, ...]] = []
    for name, each in said.items():
        old = there.get(name)
        if old is None:
            ids.append(new_id())
            added.append(
                (ids[-1], server, each.tool.encoded, each.embedding, each.tool.hash, each.key,
                 now, now)
            )  # fmt: skip
        elif (old.hash, old.key) != (each.tool.hash, each.key):
            ids.append(old.id)
            await _change(tx, side, old, each, now)
    await tx.insert_many(TABLES[side], _COLUMNS, added)
    return Upserted(put=tuple(await _by_ids(tx, side, ids)), removed=removed)


async def re_embed(
    tx: WriteTransaction,
    side: Side,
    vectors: Sequence[tuple[str, bytes, str]],
    now: datetime,
) -> tuple[StoredTool, ...]:
    """Give tools another embedding, each with its id and its key."""
    for id, embedding, key in vectors:
        await tx.execute(
            _CHANGE[side],
            row=id,
            details_embedding=embedding,
            embedding_key=key,
            last_updated=now,
        )
    return tuple(await _by_ids(tx, side, [id for id, _, _ in vectors]))


async def _change(
    tx: WriteTransaction, side: Side, old: Known, new: Embedded, now: datetime
) -> None:
    values: dict[str, object] = {"embedding_key": new.key}
    if new.embedding is not None:
        values["details_embedding"] = new.embedding
    if old.hash != new.tool.hash:
        values |= {"details": new.tool.encoded, "content_hash": new.tool.hash}
    await tx.execute(_CHANGE[side], row=old.id, last_updated=now, **values)


async def _delete(tx: WriteTransaction, side: Side, ids: Sequence[str]) -> None:
    table = TABLES[side]
    for start in range(0, len(ids), AT_ONCE):
        await tx.execute(delete(table).where(table.c.id.in_(ids[start : start + AT_ONCE])))


async def _by_ids(tx: Transaction, side: Side, ids: Sequence[str]) -> list[StoredTool]:
    table = TABLES[side]
    return [
        _tool(row)
        for start in range(0, len(ids), AT_ONCE)
        for row in await tx.execute(
            select(table).where(table.c.id.in_(ids[start : start + AT_ONCE]))
        )
    ]


def _tool(row: Row) -> StoredTool:
    return StoredTool(
        id=row.id,
        mcpserver_id=row.mcpserver_id,
        name=row.name,
        details=row.details,
        details_embedding=row.details_embedding,
        content_hash=row.content_hash,
        embedding_key=row.embedding_key,
        last_updated=row.last_updated,
        created_at=row.created_at,
    )
