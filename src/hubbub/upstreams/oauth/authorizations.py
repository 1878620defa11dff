"""Every authorization of this hub, and the persons on their way to give one."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import TaskGroup

from hubbub.kernel.errors import (
    Busy,
    ExecutionFailed,
    HubError,
    NotFound,
    TimedOut,
    Unavailable,
)
from hubbub.kernel.events import Bus
from hubbub.services.events import ClientChanged, ClientRemoved
from hubbub.services.model import Client, McpServer
from hubbub.upstreams.oauth.authorization import Authorization
from hubbub.upstreams.oauth.grants import Grants
from hubbub.upstreams.oauth.visit import Arrival

log = logging.getLogger(__name__)

VISIT_S: Final = 600.0
"""How long a person may take."""
VISITS_MAX: Final = 100
ASKED_S: Final = 45.0
"""How long servers may take to say where to send the person, and to give the token."""


@dataclass(kw_only=True, eq=False)
class Visiting:
    """One person's way to an authorization server and back."""

    client: Client
    by: str
    """The account that asked for it."""
    redirect_url: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    url: asyncio.Future[str] = field(default_factory=asyncio.Future)
    state: str | None = None
    arrival: asyncio.Future[Arrival] = field(default_factory=asyncio.Future)
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)

    async def sent(self, url: str) -> None:
        (self.state,) = parse_qs(urlsplit(url).query)["state"]
        self.url.set_result(url)

    async def back(self) -> Arrival:
        with anyio.fail_after(VISIT_S):
            return await self.arrival

    def failed(self, error: HubError) -> None:
        for future in (self.url, self.arrival, self.done):
            if not future.done():
                future.set_exception(error)
                future.exception()  # it may be that nobody waits any more


class Authorizations:
    """By client. What a person agrees to holds for all who use the client."""

    def __init__(self, bus: Bus, grants: Grants, tasks: TaskGroup) -> None:
        self.redirect_url: str | None = None
        """Where browsers find the hub's `/oauth/callback`, once that is known."""
        self._grants = grants
        self._tasks = tasks
        self._known: dict[str, Authorization] = {}
        self._visits: dict[str, Visiting] = {}  # by client
        bus.listen(ClientChanged, lambda event: self._changed(event.client_id))
        bus.listen(ClientRemoved, lambda event: self._removed(event.client_id))

    def of(self, client: Client, config: McpServer) -> Authorization | None:
        """The one for a client; None where the config itself says what to show."""
        if config.url is None or any(name.lower() == "authorization" for name in config.headers):
            return None
        known = self._known.get(client.id)
        if known is None or (known.config.url, known.config.oauth) != (config.url, config.oauth):
            known = Authorization(client, config, self._grants, self._tasks)
            self._known[client.id] = known
        return known

    async def begun(self, client: Client, authorization: Authorization, visit: Visiting) -> str:
        """Where the person is to go. The rest happens once the person comes back.

        Raises:
            Busy: too many are on their way.
            HubError: names what stands in the way.
        """
        self._give_up(client.id)
        if len(self._visits) >= VISITS_MAX:
            raise Busy("too many are being authorized", maximum=VISITS_MAX, retryAfterMs=10_000)
        self._visits[client.id] = visit
        self._tasks.start_soon(self._accompanied, authorization, visit)
        try:
            with anyio.fail_after(ASKED_S):
                return await asyncio.shield(visit.url)
        except TimeoutError:
            self._give_up(client.id)
            raise TimedOut(f"{client.name} did not say in time where to go") from None

    async def arrived(self, state: str, arrival: Arrival | None, refusal: str) -> Client:
        """A person is back, with a code or without; the client that is authorized now.

        Raises:
            NotFound: nobody with this state is on the way, or not any more.
            HubError: names what stood in the way.
        """
        visit = next((each for each in self._visits.values() if each.state == state), None)
        if visit is None or visit.arrival.done():
            raise NotFound("nobody is waited for, or not any more")
        if arrival is None:
            visit.arrival.set_exception(Unavailable(f"it was refused: {refusal}"))
        else:
            visit.arrival.set_result(arrival)
        try:
            with anyio.fail_after(ASKED_S):
                await asyncio.shield(visit.done)
        except TimeoutError:
            raise TimedOut("the authorization server did not answer in time") from None
        return visit.client

    async def _accompanied(self, authorization: Authorization, visit: Visiting) -> None:
        error: HubError = ExecutionFailed("the hub failed")
        try:
            with visit.scope:
                await authorization.authorize(visit, visit.by)
                visit.done.set_result(None)
            error = Unavailable("another one was begun")
        except HubError as found:
            error = found
        except TimeoutError:
            error = TimedOut("nobody came back in time")
        except Exception:
            log.exception("the authorization at %s failed", visit.client.name)
        finally:
            if self._visits.get(visit.client.id) is visit:
                del self._visits[visit.client.id]
            visit.failed(error)

    def _give_up(self, client_id: str) -> None:
        visit = self._visits.pop(client_id, None)
        if visit is not None:
            visit.scope.cancel()

    def _changed(self, client_id: str) -> None:
        if client_id in self._known:
            self._known[client_id].changed()

    def _removed(self, client_id: str) -> None:
        self._known.pop(client_id, None)
        self._give_up(client_id)
