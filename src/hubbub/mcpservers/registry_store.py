"""Statements about servers that can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

import msgspec
from sqlalchemy import Select, bindparam, delete, insert, or_, select, tuple_, update

from hubbub.kernel.errors import Conflict, NotFound
from hubbub.kernel.ids import new_id
from hubbub.mcpservers.matching import Identity, Normaliser, exact, tolerant
from hubbub.mcpservers.model import BY_HAND, RegistryServer, Transport
from hubbub.mcpservers.tables import mcpservers_registry as table
from hubbub.mcpservers.tables import tools_registry
from hubbub.storage.dialect import json_text
from hubbub.storage.statements import Row
from hubbub.storage.transaction import Transaction, WriteTransaction

AT_ONCE: Final = 500

_BY_ID: Final = select(table).where(table.c.id == bindparam("id"))
_DELETE: Final = delete(table).where(table.c.id == bindparam("row"))


class Changes(TypedDict, total=False):
    """What may be changed. What is not named stays; what is named and None becomes null. URL and
    package are what a server is known by, and cannot be changed."""

    name: str
    transport: Transport
    description: str | None
    server_embedding: bytes | None
    group: str
    source: str
    definition: msgspec.Raw | None
    content_hash: str | None
    embedding_key: str | None
    url: str | None
    """Only of a container, which is known by its package."""


async def create(
    tx: WriteTransaction, identity: Identity, now: datetime, **values: Unpack[Changes]
) -> RegistryServer:
    """Add a server.

    Raises:
        Conflict: if there is one with this URL, or this package; it names both.
    """
    there = await by_identity(tx, identity)
    if there is not None:
        raise duplicate(identity, there.name, str(values.get("name")), id=there.id)
    id = new_id()
    row: dict[str, object] = {
        "id": id,
        "url": identity.url if identity.remote else values.get("url"),
        "package": identity.package,
        "remote": identity.remote,
        "match_key": tolerant(identity),
        "source": BY_HAND,
        "group": "default",
        **{key: value for key, value in values.items() if key != "url"},
        "created_at": now,
        "last_updated": now,
    }
    await tx.execute(insert(table), **row)
    return await get(tx, id)


def duplicate(identity: Identity, first: str, second: str, **details: object) -> Conflict:
    """That two entries are known by the same, both named."""
    return Conflict(
        f"{first} and {second} are known by the same {'URL' if identity.remote else 'package'}",
        servers=[first, second],
        identity=identity.text,
        **details,
    )


async def get(tx: Transaction, id: str) -> RegistryServer:
    """
    Raises:
        NotFound: if there is none.
    """
    row = (await tx.execute(_BY_ID, id=id)).one_or_none()
    if row is None:
        raise NotFound(f"no registry server {id}", server=id)
    return _server(row)


async def by_ids(tx: Transaction, ids: Sequence[str]) -> dict[str, RegistryServer]:
    """Those of these that there are."""
    return {
        row.id: _server(row)
        for start in range(0, len(ids), AT_ONCE)
        for row in await tx.execute(
            select(table).where(table.c.id.in_(ids[start : start + AT_ONCE]))
        )
    }


async def by_identity(tx: Transaction, identity: Identity) -> RegistryServer | None:
    """The server that is known by exactly this, if there is one."""
    return (await by_identities(tx, [identity])).get(identity.text)


async def by_identities(
    tx: Transaction, identities: Sequence[Identity]
) -> dict[str, RegistryServer]:
    """The servers that are known by exactly these, by what they are known by."""
    found: dict[str, RegistryServer] = {}
    for remote, column in ((True, table.c.url), (False, table.c.package)):
        texts = sorted({each.text for each in identities if each.remote is remote})
        for start in range(0, len(texts), AT_ONCE):
            statement = select(table).where(
                table.c.remote.is_(remote), column.in_(texts[start : start + AT_ONCE])
            )
            for row in await tx.execute(statement):
                found[row.url if remote else row.package] = _server(row)
    return found


async def find_matching(
    tx: Transaction, identity: Identity, alike: Normaliser = exact
) -> list[RegistryServer]:
    """The servers that a workload of this identity may be made from: none, one or many."""
    there = await by_identity(tx, identity)
    if there is not None or alike is exact:
        return [] if there is None else [there]
    rows = await tx.execute(
        select(table)
        .where(table.c.remote.is_(identity.remote), table.c.match_key == alike(identity))
        .order_by(table.c.name, table.c.id)
    )
    return [_server(row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a source said of a server the last time."""

    id: str
    name: str
    hash: str | None
    """None while something of it has still to be worked out."""


async def hashes(tx: Transaction, source: str) -> dict[str, Said]:
    """What a source said the last time, by what each server is known by."""
    rows = await tx.execute(
        select(
            table.c.id,
            table.c.name,
            table.c.remote,
            table.c.url,
            table.c.package,
            table.c.content_hash,
        ).where(table.c.source == source)
    )
    return {
        (row.url if row.remote else row.package): Said(
            id=row.id, name=row.name, hash=row.content_hash
        )
        for row in rows
    }


async def unembedded(tx: Transaction, limit: int) -> list[str]:
    """Ids of servers that could not be embedded, or some of whose tools could not."""
    tools = select(tools_registry.c.mcpserver_id).where(tools_registry.c.embedding_key.is_(None))
    rows = await tx.execute(
        select(table.c.id)
        .where(or_(table.c.embedding_key.is_(None), table.c.id.in_(tools)))
        .order_by(table.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


async def change(
    tx: WriteTransaction, id: str, now: datetime, **changes: Unpack[Changes]
) -> RegistryServer:
    """
    Raises:
        NotFound: if there is none.
        Conflict: if it is to be known by something else.
    """
    server = await get(tx, id)
    if "url" in changes and server.remote and changes["url"] != server.url:
        raise Conflict("the URL of a remote server is what it is known by", server=id)
    if changes:
        await tx.execute(
            update(table).where(table.c.id == bindparam("row")),
            row=id,
            last_updated=now,
            **changes,
        )
    return await get(tx, id)


async def remove(tx: WriteTransaction, id: str) -> None:
    """Delete a server, and with it its tools. Unlink its workloads first."""
    await tx.execute(_DELETE, row=id)


async def page(
    tx: Transaction,
    *,
    group: str | None = None,
    remote: bool | None = None,
    source: str | None = None,
    since: datetime | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int,
) -> list[RegistryServer]:
    """Servers in the order of their names."""
    statement: Select[Any] = select(table).where(tuple_(table.c.name, table.c.id) > after)
    for column, wanted in ((table.c.group, group), (table.c.source, source)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if remote is not None:
        statement = statement.where(table.c.remote.is_(remote))
    if since is not None:
        statement = statement.where(table.c.last_updated >= since)
    rows = await tx.execute(statement.order_by(table.c.name, table.c.id).limit(limit))
    return [_server(row) for row in rows]


async def names(
    tx: Transaction,
    *,
    search: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    after: str = "",
    limit: int,
) -> list[str]:
    """Names of servers, each once: one may be known both by a URL and by a package.

    Args:
        search: what the name holds.
    """
    statement: Select[Any] = select(table.c.name).where(table.c.name > after)
    if search:
        statement = statement.where(table.c.name.icontains(search, autoescape=True))
    if version is not None:
        statement = statement.where(json_text(tx, table.c.definition, "version") == version)
    if since is not None:
        statement = statement.where(table.c.last_updated >= since)
    rows = await tx.execute(statement.distinct().order_by(table.c.name).limit(limit))
    return [row.name for row in rows]


async def names_like(tx: Transaction, pattern: str, limit: int) -> list[str]:
    """Names of servers that fit a pattern of LIKE, whose escape is a backslash."""
    rows = await tx.execute(
        select(table.c.name)
        .where(table.c.name.like(pattern, escape="\\"))
        .distinct()
        .order_by(table.c.name)
        .limit(limit)
    )
    return [row.name for row in rows]


async def by_names(tx: Transaction, names: Sequence[str]) -> list[RegistryServer]:
    """All that have these names, in the order of names."""
    rows = await tx.execute(
        select(table).where(table.c.name.in_(list(names))).order_by(table.c.name, table.c.id)
    )
    return [_server(row) for row in rows]


def _server(row: Row) -> RegistryServer:
    return RegistryServer(
        id=row.id,
        name=row.name,
        url=row.url,
        package=row.package,
        remote=bool(row.remote),
        transport=row.transport,
        description=row.description,
        server_embedding=row.server_embedding,
        group=row.group,
        source=row.source,
        definition=row.definition,
        content_hash=row.content_hash,
        embedding_key=row.embedding_key,
        last_updated=row.last_updated,
        created_at=row.created_at,
    )
