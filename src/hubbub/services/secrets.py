"""Secrets in clear, for a connection that is about to be made, and nowhere else."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import HubError, NotFound
from hubbub.services import configuration, references, store
from hubbub.services.configuration import AnyConfig
from hubbub.services.encryption import Encrypted, KeyMissing, Place, Ring, Unreadable, unreadable
from hubbub.services.model import Client, Secret
from hubbub.storage.database import Database

log = logging.getLogger(__name__)

# Deriving keys keeps a core busy. A start with many clients must leave one to others.
AT_ONCE: Final = 2


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What became of secrets that were to be encrypted with the current key."""

    renewed: int
    lost: tuple[Secret, ...]
    """Those that cannot be decrypted. They are left as they are."""


class Secrets:
    """Encrypts and decrypts what clients need, off the event loop.

    Whatever is still under an older key when it is read is encrypted with the current one.
    """

    def __init__(self, database: Database, ring: Ring, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def encrypted(self, client_id: str, clear: Mapping[str, str]) -> dict[str, Encrypted]:
        """Values for a client, as they are stored."""
        places = {name: Place(client_id=client_id, name=name) for name in clear}

        def work() -> dict[str, Encrypted]:
            return {name: self._ring.encrypt(clear[name], place) for name, place in places.items()}

        async with self._slots:
            return await asyncio.to_thread(work)

    async def of(self, client_id: str, names: Collection[str] | None = None) -> dict[str, str]:
        """The secrets of a client that have not expired, by name: all, or those of these names.

        Raises:
            KeyMissing, Unreadable: if one of them cannot be decrypted.
        """
        now = self._clock()
        async with self._database.reading() as tx:
            found = await store.secrets(tx, client_id, names)
        return await self._clear([each for each in found if not each.expired(now)])

    async def resolved(self, client: Client) -> AnyConfig:
        """A client's config with every `${secret:NAME}` replaced.

        Raises:
            NotFound: names the secrets that are missing or have expired.
            Invalid: if the config does not fit, before or after.
            KeyMissing, Unreadable: if a secret cannot be decrypted.
        """
        config = msgspec.json.decode(client.config)
        wanted = references.names(config)
        if not wanted:
            return configuration.typed(client.type, config)
        clear = await self._clear(await self._found(client, wanted))
        return configuration.typed(client.type, references.replaced(config, clear))

    async def renew(self, secrets: Iterable[Secret]) -> Renewal:
        """Encrypt with the current key what is not yet."""
        old = [each for each in secrets if not self._current(each)]
        clear, lost = await self._opened(old)
        for each in lost:
            log.error("the secret %s of client %s cannot be decrypted", each.name, each.client_id)
        return Renewal(renewed=await self._rewritten(old, clear), lost=tuple(lost))

    async def _found(self, client: Client, wanted: Collection[str]) -> list[Secret]:
        async with self._database.reading() as tx:
            found = {each.name: each for each in await store.secrets(tx, client.id, wanted)}
        now = self._clock()
        missing = sorted(name for name in wanted if name not in found)
        expired = sorted(name for name, each in found.items() if each.expired(now))
        if missing or expired:
            raise NotFound(
                f"secrets of {client.name} are missing or have expired: "
                f"{', '.join([*missing, *expired])}",
                client=client.id,
                missing=missing,
                expired=expired,
            )
        return list(found.values())

    async def _clear(self, secrets: list[Secret]) -> dict[str, str]:
        clear, lost = await self._opened(secrets)
        for each, error in lost.items():
            log.error("secret %s of client %s: %s", each.name, each.client_id, error.message)
        for error in lost.values():
            raise error
        try:
            await self._rewritten([each for each in secrets if not self._current(each)], clear)
        except self._database.faults:
            # Another time: the secrets are here, and are stored as they were.
            log.exception("secrets could not be stored under the current key")
        return {each.name: clear[each.id] for each in secrets}

    async def _opened(self, secrets: list[Secret]) -> tuple[dict[str, str], dict[Secret, HubError]]:
        """Values by the ids of their secrets, and what was in the way of the others."""

        def work() -> tuple[dict[str, str], dict[Secret, HubError]]:
            clear: dict[str, str] = {}
            lost: dict[Secret, HubError] = {}
            for each in secrets:
                try:
                    clear[each.id] = self._decrypt(each)
                except (KeyMissing, Unreadable) as error:
                    lost[each] = error
            return clear, lost

        async with self._slots:
            return await asyncio.to_thread(work)

    def _decrypt(self, secret: Secret) -> str:
        place = Place(client_id=secret.client_id, name=secret.name)
        if secret.value is None:
            raise unreadable(place)
        return self._ring.decrypt(secret.value, place)

    async def _rewritten(self, secrets: list[Secret], clear: Mapping[str, str]) -> int:
        """Store under the current key; how many. In one transaction, so that each is as it was or
        as it is to be, whenever the hub is killed."""
        readable = [each for each in secrets if each.id in clear]
        if not readable:
            return 0

        def work() -> dict[str, tuple[Secret, Encrypted]]:
            return {
                each.id: (
                    each,
                    self._ring.encrypt(
                        clear[each.id], Place(client_id=each.client_id, name=each.name)
                    ),
                )
                for each in readable
            }

        async with self._slots:
            renewed = await asyncio.to_thread(work)
        return await self._database.write(lambda tx: store.reencrypted(tx, renewed))

    def _current(self, secret: Secret) -> bool:
        return secret.value is not None and secret.value.key_version == self._ring.current
