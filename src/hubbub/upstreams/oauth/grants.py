"""Grants, kept as secrets of the clients that they are for."""

import logging
from typing import Final

import msgspec

from hubbub.identity.store import audit
from hubbub.kernel.clock import Clock
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.services import store
from hubbub.services.events import ClientChanged
from hubbub.services.references import OWN
from hubbub.services.secrets import Secrets
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.oauth.grant import Grant

log = logging.getLogger(__name__)

KEY: Final = f"{OWN}grant"
"""Removing this secret of a client is logging out."""


class Grants:
    """The grants of all clients."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock

    async def get(self, client_id: str) -> Grant | None:
        """What is kept for a client.

        Raises:
            KeyMissing, Unreadable: it cannot be decrypted.
        """
        found = (await self._secrets.of(client_id, [KEY])).get(KEY)
        if found is None:
            return None
        try:
            return msgspec.json.decode(found, type=Grant)
        except UNREADABLE:
            log.warning("what is kept of an authorization of %s is of another version", client_id)
            return None

    async def keep(
        self, client_id: str, grant: Grant, *, renewed: bool = False, by: str | None = None
    ) -> bool:
        """Keep a grant in place of any other; whether it is kept.

        Args:
            renewed: only if there still is one; it may have been given up meanwhile.
            by: the account that had somebody agree to it. It is noted, and whoever keeps
                connections is told, so that they are made anew.

        Raises:
            NotFound: the client is gone.
        """
        values = await self._secrets.encrypted(client_id, {KEY: encode(grant).decode()})
        now = self._clock()

        async def work(tx: WriteTransaction) -> bool:
            client = await store.get(tx, client_id)
            if renewed and not await store.secrets(tx, client_id, [KEY]):
                return False
            await store.put_secret(tx, client_id, KEY, values[KEY], None, now)
            if by is not None:
                details = {"client": client_id, "name": client.name}
                await audit(
                    tx, "client.authorized", owner_id=by, key_id=None, details=details, now=now
                )
                tx.publish(ClientChanged(client_id=client_id))
            return True

        return await self._database.write(work)
