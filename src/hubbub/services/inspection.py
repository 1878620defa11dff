"""What of the past does not fit this version: told at the start, and in nobody's way."""

import logging
from collections import Counter
from typing import Final

import msgspec
from anyio.lowlevel import checkpoint

from hubbub.kernel.errors import Invalid
from hubbub.services import configuration, store
from hubbub.services.encryption import Ring
from hubbub.services.model import Client
from hubbub.storage.database import Database

log = logging.getLogger(__name__)

TOLD_MAX: Final = 20


async def look_over(database: Database, ring: Ring) -> None:
    """Warn of clients whose config does not fit, and of secrets whose key is not in the file."""
    unfit = 0
    after = ""
    while found := await _clients(database, after):
        for client in found:
            unfit += _warned(client, quietly=unfit >= TOLD_MAX)
            await checkpoint()
        after = found[-1].name
    if unfit > TOLD_MAX:
        log.warning("%d clients more do not fit", unfit - TOLD_MAX)
    for version, count in sorted((await _lost(database, ring)).items()):
        log.error("%d secrets need the key v%d, which is not in the key file", count, version)


async def _clients(database: Database, after: str) -> list[Client]:
    async with database.reading() as tx:
        return await store.page(tx, seen_by=None, after=after, limit=store.BATCH)


def _warned(client: Client, *, quietly: bool) -> bool:
    """Whether the client's config does not fit."""
    try:
        configuration.check(client.type, msgspec.json.decode(client.config))
    except Invalid as error:
        if not quietly:
            log.warning("client %s: %s: %s", client.name, error.message, error.details["errors"])
        return True
    return False


async def _lost(database: Database, ring: Ring) -> Counter[int]:
    lost: Counter[int] = Counter()
    after = ""
    while True:
        async with database.reading() as tx:
            found = await store.secrets_after(tx, after, store.BATCH)
        if not found:
            return lost
        versions = [each.value.key_version for each in found if each.value is not None]
        lost.update(version for version in versions if version not in ring)
        after = found[-1].id
