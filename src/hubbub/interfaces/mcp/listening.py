"""Clients that want to hear when something else is offered, or a resource has changed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.calls.model import Call, Outcome
from hubbub.calls.offers import Offers
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.mcp import results, rpc
from hubbub.interfaces.mcp.views import View, Views
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Busy
from hubbub.kernel.events import Bus
from hubbub.operations.context import Caller
from hubbub.profiles.model import Profile, ProfileChanged
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.frames import Progressed
from hubbub.upstreams.servers import ServerChanged

SETTLE_S: Final = 0.05
"""Changes that come together are told of once."""
LISTENERS_MAX: Final = 5_000
ACCOUNT_LISTENERS_MAX: Final = 500

KINDS: Final = ("tools", "resources", "prompts")


@dataclass(kw_only=True, eq=False)
class Listener:
    """Somebody who listens."""

    caller: Caller
    view: View
    kinds: frozenset[str]
    say: Callable[[bytes], object]
    stop: Callable[[], None]
    """End it."""
    meta: dict[str, object] = field(default_factory=dict)
    """What every notification is marked with."""
    mark: int = 0

    def tell(self, method: str, params: dict[str, object] | None = None) -> None:
        told = dict(params or {})
        if self.meta:
            told["_meta"] = {**_dict(told.get("_meta")), **self.meta}
        self.say(rpc.noting(method, told or None))


class Listening:
    """Tells them."""

    def __init__(self, bus: Bus, offers: Offers, views: Views) -> None:
        self._views = views
        self._listeners: set[Listener] = set()
        self._changed: set[tuple[str, str]] = set()  # the client, and which of its lists
        self._profiles: dict[str, Profile | None] = {}
        self._settling: asyncio.TimerHandle | None = None
        bus.listen(ServerChanged, self._server_changed)
        bus.listen(ProfileChanged, self._profile_changed)
        offers.watch(self._settle)

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> Callable[[], None]:
        """Tell this one, too; the answer stops it.

        Raises:
            Busy: if there are too many.
        """
        account = listener.caller.account_id
        held = sum(each.caller.account_id == account for each in self._listeners)
        if len(self._listeners) >= LISTENERS_MAX or held >= ACCOUNT_LISTENERS_MAX:
            raise Busy("too many clients listen", retryAfterMs=10_000)
        listener.mark = self._mark(listener)
        self._listeners.add(listener)
        expiry: asyncio.TimerHandle | None = None
        if listener.caller.until is not None:
            left_s = (listener.caller.until - utc_now()).total_seconds()
            expiry = asyncio.get_running_loop().call_later(left_s, listener.stop)
        return partial(self._part, listener, expiry)

    def _part(self, listener: Listener, expiry: asyncio.TimerHandle | None) -> None:
        self._listeners.discard(listener)
        if expiry is not None:
            expiry.cancel()

    def goodbye(self) -> None:
        """The hub leaves."""
        for listener in list(self._listeners):
            listener.stop()

    def leave(self, changed: KeyChanged) -> None:
        """A key is not what it was: who came with it hears nothing more."""
        for listener in list(self._listeners):
            if changed.concerns(listener.caller):
                listener.stop()

    def _mark(self, listener: Listener) -> int:
        table, identity = self._views.table(listener.view), listener.caller.identity
        if listener.view.searching:
            return hash(tuple(name for name, entry in table.pinned if entry.visible(identity)))
        return table.mark(identity)

    def _server_changed(self, changed: ServerChanged) -> None:
        self._changed |= {(changed.client_id, what) for what in changed.what}
        self._settle()

    def _profile_changed(self, changed: ProfileChanged) -> None:
        self._profiles[changed.name] = changed.profile
        self._settle()

    def _settle(self) -> None:
        if self._listeners and self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S, self._tell)

    def _tell(self) -> None:
        self._settling = None
        changed, self._changed = self._changed, set()
        profiles, self._profiles = self._profiles, {}
        for listener in list(self._listeners):
            for kind in self._news(listener, changed, profiles):
                listener.tell(f"notifications/{kind}/list_changed")

    def _news(
        self,
        listener: Listener,
        changed: set[tuple[str, str]],
        profiles: dict[str, Profile | None],
    ) -> list[str]:
        """Which of the lists that it has seen are others now."""
        if listener.view.chosen_by in profiles:
            profile = profiles[listener.view.chosen_by]
            listener.view = replace(listener.view, profile=profile)
            listener.mark = self._mark(listener)
            return [kind for kind in KINDS if kind in listener.kinds]
        seen = self._views.servers(listener.view, listener.caller.identity)
        own = {server.client_id for server in seen}
        news = {kind for client, kind in changed if client in own}
        if listener.view.searching:
            news.discard("tools")  # those that find the others stay as they are
        mark = self._mark(listener)
        if mark != listener.mark:
            listener.mark = mark
            news.add("tools")
        return [kind for kind in KINDS if kind in news and kind in listener.kinds]


class Updates:
    """The sink of a subscription to a resource: what its server tells is passed on."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def answered(self, call: Call, output: Raw) -> None:
        try:
            told = msgspec.json.decode(results.data_of(output))
        except UNREADABLE:
            return
        if isinstance(told, dict) and isinstance(told.get("method"), str):
            self._listener.tell(told["method"], _dict(told.get("params")))

    def progressed(self, call: Call, progress: Progressed) -> None:
        """It comes to no end."""

    def ended(self, call: Call, outcome: Outcome) -> None:
        """The client reads the resource again, or asks anew, when it wants to know."""


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
