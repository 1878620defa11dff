"""The definitions that came with one client."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from hubbub.calls import store as calls
from hubbub.catalog import store as catalog
from hubbub.catalog.events import OperationsDefined, OperationsRemoved
from hubbub.catalog.store import Stored
from hubbub.kernel.errors import Conflict, NotFound
from hubbub.kernel.limits import REGISTERED_OPERATIONS_MAX
from hubbub.protocol.specs import ANYBODY, AccessControl, OperationSpec
from hubbub.services import configuration
from hubbub.services import store as services
from hubbub.services.model import Client, HttpApi
from hubbub.storage.transaction import Transaction, WriteTransaction

CLIENT: Final = "client"
"""In `_meta`: the id of the client whose definition it is."""
PAGE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What became of the definitions of a client, by their ids."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


async def operations_of(tx: Transaction, client: Client) -> list[Stored]:
    """What a client can do, as it was imported."""
    found = await _in_namespace(tx, client.name)
    return [each for each in found if each.spec.meta.get(CLIENT) == client.id]


async def replace(
    tx: WriteTransaction, client: Client, specs: Sequence[OperationSpec], now: datetime
) -> Changes:
    """From now on these are the definitions of a client. What is gone is removed; the records of
    its calls stay.

    Raises:
        Conflict: if somebody else's definition has one of the names.
    """
    allowed = accessible(client)
    owned = [
        msgspec.structs.replace(spec, meta={**spec.meta, CLIENT: client.id}, access_control=allowed)
        for spec in specs
    ]
    before = await _in_namespace(tx, client.name)
    mine = {client.id} | await _gone(tx, {each.spec.meta.get(CLIENT) for each in before})
    wanted = {spec.id for spec in owned}
    for each in before:
        if each.spec.id in wanted and each.spec.meta.get(CLIENT) not in mine:
            raise Conflict("somebody else has defined this operation", operation=each.spec.id)
    _, news = await catalog.define(tx, owned, now)
    gone = [
        each for each in before if each.spec.id not in wanted and each.spec.meta.get(CLIENT) in mine
    ]
    for each in gone:
        await calls.reassign(tx, each.row, now)
        await catalog.remove(tx, each.row)
    if news:
        tx.publish(OperationsDefined(operations=news))
    if gone:
        tx.publish(OperationsRemoved(rows=tuple(each.row for each in gone)))
    known = {each.spec.id for each in before}
    return Changes(
        added=tuple(each.spec.id for each in news if each.spec.id not in known),
        changed=tuple(each.spec.id for each in news if each.spec.id in known),
        removed=tuple(each.spec.id for each in gone),
    )


async def allow(
    tx: WriteTransaction, stored: Sequence[Stored], access: AccessControl, now: datetime
) -> list[Stored]:
    """The same definitions, for those who may call them now."""
    specs = [msgspec.structs.replace(each.spec, access_control=access) for each in stored]
    changed, news = await catalog.define(tx, specs, now)
    if news:
        tx.publish(OperationsDefined(operations=news))
    return [changed[spec.id] for spec in specs]


def accessible(client: Client) -> AccessControl:
    """Who may call what a client offers, as its config has it."""
    config = configuration.of(client)
    return config.access if isinstance(config, HttpApi) else ANYBODY


async def _gone(tx: Transaction, ids: set[object]) -> set[object]:
    """Those of these clients that there are no more: their definitions outlived them."""
    gone: set[object] = set()
    for id in ids:
        if isinstance(id, str):
            try:
                await services.get(tx, id)
            except NotFound:
                gone.add(id)
    return gone


async def _in_namespace(tx: Transaction, namespace: str) -> list[Stored]:
    found: list[Stored] = []
    after = (namespace, "")
    while len(found) < 2 * REGISTERED_OPERATIONS_MAX:
        page = await catalog.page(tx, namespace=namespace, after=after, limit=PAGE)
        found.extend(each for each in page if each.spec.namespace == namespace)
        if len(page) < PAGE or page[-1].spec.namespace != namespace:
            break
        after = (namespace, page[-1].spec.name)
    return found
