"""Who offers what now, and who of them takes a call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from hubbub.calls.model import Ask, Call, Provider
from hubbub.catalog.model import Definition
from hubbub.kernel.errors import (
    Busy,
    Conflict,
    HubError,
    NoProvider,
    NotFound,
    OperationNotFound,
)
from hubbub.kernel.limits import ID_CHARS_MAX
from hubbub.operations.access import allowed
from hubbub.protocol.specs import ANYBODY

BUSY_RETRY_MS: Final = 100


class NotOffered(NoProvider):
    """Nobody offers it now. Whether it is known at all, only the catalogue can tell."""


@dataclass(kw_only=True, eq=False)
class Offering:
    """A definition and those who offer it now, with their own names for it."""

    definition: Definition
    providers: dict[Provider, str] = field(default_factory=dict)


class Offers:
    """The operations that can be called at this moment.

    An operation is found under its id, and, as long as that is unambiguous, under the name that its
    provider itself has for it: `dev.fs.read` is enough where one machine of yours is connected.
    Somebody else's machine must be chosen: a stranger who offers `dev.fs.write` is not to be sent
    what was meant for a machine that happens to be away.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Offering] = {}
        self._by_local_id: dict[str, dict[str, Offering]] = {}
        self._of: dict[Provider, list[tuple[Offering, str]]] = {}
        self._watching: list[Callable[[], None]] = []
        self.version = 0
        """Another number after every change."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Say from now on that something else can be called. Never waits, and may not fail."""
        self._watching.append(changed)

    def put(self, provider: Provider, offers: Iterable[tuple[Definition, str]]) -> None:
        """From now on `provider` offers these, under its own names, and nothing else."""
        for offering, local_id in self._of.pop(provider, ()):
            self._remove(provider, offering, local_id)
        added = [(self._offering(definition), local_id) for definition, local_id in offers]
        for offering, local_id in added:
            offering.providers[provider] = local_id
            self._by_local_id.setdefault(local_id, {})[offering.definition.id] = offering
        if added:
            self._of[provider] = added
        self.version += 1
        for changed in self._watching:
            changed()

    def find(self, ask: Ask, account_id: str | None) -> Offering:
        """The operation that is asked for by this account.

        Raises:
            NotOffered: if there is none now.
            OperationNotFound: if none can have this name.
            Conflict: if the name means several and no provider was chosen.
        """
        exact = self._by_id.get(ask.operation_id)
        same = self._by_local_id.get(ask.operation_id, {})
        # Nearly always nobody else has a name like this one.
        if exact is not None and len(same) <= (exact.definition.id in same):
            return exact
        if exact is None and len(ask.operation_id) > ID_CHARS_MAX:
            start = ask.operation_id[:ID_CHARS_MAX]
            raise OperationNotFound("no operation has so long a name", operation=start)
        meant = [
            offering
            for offering in same.values()
            if any(_is_meant(provider, ask, account_id) for provider in offering.providers)
        ]
        # A stranger who shares an operation under the name that one's own machine has for its own
        # is not sent what was meant for that.
        if exact is not None and (exact in meant or not meant):
            return exact
        if not meant:
            raise NotOffered(f"nobody offers {ask.operation_id} now", operation=ask.operation_id)
        if len(meant) > 1:
            raise Conflict(
                f"several spokes offer {ask.operation_id}: choose one by `provider`",
                operation=ask.operation_id,
                choices=sorted(offering.definition.id for offering in meant)[:20],
            )
        return meant[0]

    def choose(self, call: Call) -> Provider:
        """The least busy provider; among equals, the one whose turn was longest ago.

        Raises:
            Busy: if all that could take it are at their limit.
            NoProvider, NotFound: if nobody is left that could.
        """
        offering = self._by_id.get(call.definition.id)
        able = [p for p in offering.providers if _able(p, call)] if offering is not None else []
        ready = [provider for provider in able if not provider.full]
        if offering is None or not ready:
            raise _nobody(call, busy=bool(able))
        best = ready[0] if len(ready) == 1 else min(ready, key=_load)
        call.local_id = offering.providers[best]
        return best

    def get(self, operation_id: str) -> Offering | None:
        """The operation under exactly this id, if somebody offers it."""
        return self._by_id.get(operation_id)

    def all(self) -> list[Offering]:
        """Everything that can be called now."""
        return list(self._by_id.values())

    @property
    def held(self) -> int:
        """Entries in all maps; zero when nobody offers anything."""
        named = sum(len(same) for same in self._by_local_id.values())
        offering = sum(len(each.providers) for each in self._by_id.values())
        offered = sum(len(added) for added in self._of.values())
        maps = len(self._by_id) + len(self._by_local_id) + len(self._of)
        return maps + named + offering + offered

    def providers(self) -> list[Provider]:
        """Everybody who offers something."""
        return list(self._of)

    def _offering(self, definition: Definition) -> Offering:
        offering = self._by_id.get(definition.id)
        if offering is None:
            offering = self._by_id[definition.id] = Offering(definition=definition)
        # The newest registration is the one whose definition was stored last.
        offering.definition = definition
        return offering

    def _remove(self, provider: Provider, offering: Offering, local_id: str) -> None:
        offering.providers.pop(provider, None)
        if local_id not in offering.providers.values():
            same = self._by_local_id.get(local_id, {})
            same.pop(offering.definition.id, None)
            if not same:
                self._by_local_id.pop(local_id, None)
        if not offering.providers:
            self._by_id.pop(offering.definition.id, None)


def _is(provider: Provider, wanted: str) -> bool:
    return wanted in (provider.id, provider.name)


def _is_meant(provider: Provider, ask: Ask, account_id: str | None) -> bool:
    """Whether a provider's own name for an operation means it to this account."""
    own = provider.account_id is None or provider.account_id == account_id
    if ask.provider is None:
        return own
    # Names of machines are anybody's choice: a stranger's is chosen by its id.
    return ask.provider == provider.id or (own and ask.provider == provider.name)


def _able(provider: Provider, call: Call) -> bool:
    if provider.draining or (call.tried is not None and provider in call.tried):
        return False
    if call.pinned is not None and not _is(provider, call.pinned):
        return False
    # Nearly everybody lets anybody.
    return provider.access == ANYBODY or allowed(provider.access, call.caller.identity)


def _load(provider: Provider) -> tuple[int, int]:
    return len(provider.calls), provider.turn


def _nobody(call: Call, *, busy: bool) -> HubError:
    if busy:
        return Busy(
            f"every provider of {call.operation_id} is at its limit",
            operation=call.operation_id,
            retryAfterMs=BUSY_RETRY_MS,
        )
    if call.pinned:
        return NotFound(
            f"{call.pinned} does not offer {call.operation_id} now",
            operation=call.operation_id,
            provider=call.pinned,
        )
    return NoProvider(f"nobody offers {call.operation_id} now", operation=call.operation_id)
