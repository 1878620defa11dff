"""Who is let in: an API key becomes a caller, or is turned away.

A key that was let in is remembered for a moment, so that a busy caller costs no query a call. Every
change to a key or an account, published as `KeyChanged`, is felt at once on this node, and on
others when the moment is over.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hubbub.identity import store
from hubbub.identity.model import SYSTEM_EMAIL, Account, Key, KeyChanged
from hubbub.identity.secrets import hash_of, shown
from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import RateLimited, Unauthenticated
from hubbub.kernel.events import Bus
from hubbub.kernel.groups import surviving
from hubbub.operations.access import Identity
from hubbub.operations.context import Caller
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction

REMEMBERED_S: Final = 15.0
REMEMBERED_MAX: Final = 10_000
FAILURES_MAX: Final = 10
FAILURES_WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 10_000
TOUCH_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class _Remembered:
    caller: Caller
    until: float  # monotonic


class Door:
    """Lets callers in by their keys, and counts those that it turned away."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._changes = 0
        bus.listen(KeyChanged, self._forget)

    async def enter(self, key: str | None, address: str) -> Caller:
        """The caller whose key this is. Without a key, nobody in particular.

        Raises:
            Unauthenticated: if the key does not count; the trail remembers it.
            RateLimited: likewise, where this address has tried too many that did not.
        """
        if not key:
            return Caller()
        key_hash = hash_of(key)
        known = self._remembered.get(key_hash)
        if known is not None and known.until > time.monotonic():
            return known.caller
        while True:
            changes = self._changes
            async with self._database.reading() as tx:
                found = await store.key_by_hash(tx, key_hash)
            refusal = _refusal(found, self._clock())
            if refusal is not None or found is None:
                # Only those who are turned away have to wait: behind one address there may be many.
                self._check_rate(address)
                await self._turn_away(found, key, address, refusal or "unknown key")
                raise Unauthenticated("the key is not valid")
            await self._note_use(found[0])
            # What was read may be out of date by now, and nobody would tell us again.
            if changes == self._changes:
                return self._let_in(key_hash, *found)

    async def _note_use(self, key: Key) -> None:
        now = self._clock()
        if key.last_used_at is not None and now - key.last_used_at <= TOUCH_EVERY:
            return

        async def touch(tx: WriteTransaction) -> None:
            await store.touch_key(tx, key.id, now)

        # A key counts whether or not its use can be noted.
        await surviving(self._database.write, touch)

    def _let_in(self, key_hash: str, key: Key, account: Account) -> Caller:
        now = self._clock()
        caller = Caller(
            identity=Identity(id=account.id, scopes=frozenset(key.scopes), resources=key.resources),
            key_id=key.id,
            until=key.expires_at,
        )
        remember_s = REMEMBERED_S
        if key.expires_at is not None:
            remember_s = min(remember_s, (key.expires_at - now).total_seconds())
        until = time.monotonic() + remember_s
        self._remembered[key_hash] = _Remembered(caller=caller, until=until)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return caller

    async def _turn_away(
        self, found: tuple[Key, Account] | None, key: str, address: str, why: str
    ) -> None:
        failures = self._failures.setdefault(address, [])
        failures.append(time.monotonic())
        self._failures.move_to_end(address)
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)
        now = self._clock()

        async def note(tx: WriteTransaction) -> None:
            if found is not None:
                owner_id, key_id = found[1].id, found[0].id
            else:
                owner_id, key_id = await system_account(tx, now), None
            await store.audit(
                tx,
                "auth.failed",
                owner_id=owner_id,
                key_id=key_id,
                details={"why": why, "address": address, "prefix": shown(key)},
                now=now,
            )

        await self._database.write(note)

    def _check_rate(self, address: str) -> None:
        failures = self._failures.get(address)
        if failures is None:
            return
        now = time.monotonic()
        recent = [at for at in failures if now - at < FAILURES_WINDOW_S]
        if not recent:
            del self._failures[address]
            return
        self._failures[address] = recent
        if len(recent) >= FAILURES_MAX:
            wait_s = FAILURES_WINDOW_S - (now - recent[-FAILURES_MAX])
            raise RateLimited(
                "too many keys from this address did not count",
                retryAfterMs=max(1, round(wait_s * 1000)),
            )

    def _forget(self, changed: KeyChanged) -> None:
        self._changes += 1
        for key_hash, known in list(self._remembered.items()):
            caller = known.caller
            if caller.identity is not None and caller.identity.id == changed.account_id:
                del self._remembered[key_hash]


def _refusal(found: tuple[Key, Account] | None, now: datetime) -> str | None:
    """Why a key does not count; None if it does."""
    if found is None:
        return "unknown key"
    key, account = found
    if account.status != "active":
        return f"account {account.status}"
    if key.revoked_at is not None:
        return "key revoked"
    if not key.enabled:
        return "key disabled"
    if key.expires_at is not None and key.expires_at <= now:
        return "key expired"
    return None


async def system_account(tx: WriteTransaction, now: datetime) -> str:
    """The id of the account that stands for nobody known, made when it is first needed."""
    account = await store.account_by_email(tx, SYSTEM_EMAIL)
    if account is not None:
        return account.id
    return await store.add_account(
        tx,
        email=SYSTEM_EMAIL,
        display_name="The hub",
        access_level="service",
        status="deactivated",
        now=now,
    )
