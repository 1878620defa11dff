"""Profiles at hand for those who ask for one with every request."""

import time
from collections import OrderedDict
from typing import Final

from hubbub.kernel.events import Bus
from hubbub.profiles import store
from hubbub.profiles.model import Profile, ProfileChanged
from hubbub.storage.database import Database

REMEMBERED_S: Final = 15.0
"""Changes on this node are felt at once, those on others when this is over."""
REMEMBERED_MAX: Final = 1_000


class Shelf:
    """Remembers for a moment which profile there is under a name, and which names have none."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._remembered: OrderedDict[str, tuple[float, Profile | None]] = OrderedDict()
        self._changes = 0
        bus.listen(ProfileChanged, self._forget)

    async def named(self, name: str) -> Profile | None:
        """The profile of this name, if there is one."""
        known = self._remembered.get(name)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        changes = self._changes
        async with self._database.reading() as tx:
            found = await store.named(tx, name)
        # What was read may be out of date by now, and nobody would tell us again.
        if changes == self._changes:
            self._remembered[name] = (time.monotonic() + REMEMBERED_S, found)
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return found

    def _forget(self, changed: ProfileChanged) -> None:
        self._changes += 1
        self._remembered.pop(changed.name, None)
