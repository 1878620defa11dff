"""What the catalogue cannot know by itself: what can be called now, and what is shown where."""

from collections.abc import Callable

from hubbub.calls.model import HUB, Ask
from hubbub.calls.offers import NotOffered, Offers
from hubbub.interfaces.mcp.views import View, Views
from hubbub.operations.context import Caller
from hubbub.profiles.shelf import Shelf


class Live:
    """What can be called now, and what of it is shown where."""

    def __init__(self, offers: Offers, views: Views, shelf: Shelf) -> None:
        self._offers = offers
        self._views = views
        self._shelf = shelf

    def offered_by_hub(self, operation_id: str) -> bool:
        offering = self._offers.get(operation_id)
        return offering is not None and any(p.type == HUB for p in offering.providers)

    def meant(self, operation_id: str, caller: Caller) -> str:
        identity = caller.identity
        try:
            ask = Ask(operation_id=operation_id)
            offering = self._offers.find(ask, None if identity is None else identity.id)
        except NotOffered:
            return operation_id
        return offering.definition.id

    async def shown(self, profile: str | None, caller: Caller) -> Callable[[str], bool]:
        if profile is None:
            return lambda id: self._offers.get(id) is not None
        found = await self._shelf.named(profile)
        if found is None:
            return lambda id: False
        view = View(path="", searching=True, profile=found, chosen_by=profile)
        table = self._views.table(view)
        return lambda id: table.get(id, caller.identity) is not None
