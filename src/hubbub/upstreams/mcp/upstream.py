"""One MCP server: connected, listed, offered, followed, and connected again."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub.calls.model import Provider
from hubbub.catalog import store as catalog
from hubbub.catalog.events import OperationsDefined
from hubbub.catalog.model import Definition, defined
from hubbub.catalog.store import Offer
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import HubError, TimedOut
from hubbub.kernel.groups import ungrouped
from hubbub.protocol.mcp import RpcError
from hubbub.services.model import Client, McpServer
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.backoff import Backoff
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.connecting import connected
from hubbub.upstreams.mcp.greeting import Known
from hubbub.upstreams.mcp.link import McpLink
from hubbub.upstreams.mcp.listing import Listing, listing
from hubbub.upstreams.mcp.offers import FEATURE_SPECS, features
from hubbub.upstreams.mcp.session import Greeting, Session
from hubbub.upstreams.mcp.sessions import Sessions
from hubbub.upstreams.oauth.authorization import Authorization
from hubbub.upstreams.oauth.challenge import NeedsAuthorization
from hubbub.upstreams.servers import ResourceUpdated, Server, ServerChanged
from hubbub.upstreams.upstream import CLIENT_PROVIDER, Around, Left, Standing, Status

log = logging.getLogger(__name__)

SETTLE_S: Final = 0.05
"""Changes come in swarms; after the first, so long is waited for the others."""
EVERYTHING: Final = frozenset({"tools", "resources", "prompts"})
UPDATED: Final = "notifications/resources/updated"


class McpUpstream:
    """Keeps one client row of type `mcp-server` connected."""

    def __init__(
        self,
        client: Client,
        config: McpServer,
        around: Around,
        authorization: Authorization | None,
    ) -> None:
        self._authorization = authorization
        self.logs = Logs(self._tokens)
        self.server: Server | None = None
        """None while it is not connected."""
        self._client = client
        self._config = config
        self._around = around
        self._known = Known()
        self._backoff = Backoff(client.id)
        self._listing = Listing()
        self._stale = asyncio.Event()
        self._sessions: Sessions | None = None
        self._link: McpLink | None = None
        self._told: tuple[Status, int, str | None] = ("connecting", epoch_ms(), None)

    @property
    def standing(self) -> Standing:
        status, since, error = self._told
        lacking = None if self._authorization is None else self._authorization.lacking
        if lacking is not None:
            # Told at once, although what stands goes only when it is used or looked at again.
            status = status if lacking.more else "failed"
            error = error or NeedsAuthorization(self._client.name, lacking).message
        server = self.server
        name = None if server is None else server.info.get("name")
        return Standing(
            status=status,
            since=since,
            error=error,
            needs_authorization=lacking is not None,
            attempts=self._backoff.attempts,
            era=None if server is None else server.era,
            version=None if server is None else str(server.info.get("version", "")) or None,
            server=name if isinstance(name, str) else None,
            tools=len(self._listing.tools),
            skipped=tuple(Left(name=s.name, reason=s.reason) for s in self._listing.skipped),
            sessions=0 if self._sessions is None else len(self._sessions),
        )

    def _tokens(self) -> tuple[str, ...]:
        return () if self._authorization is None else self._authorization.secrets

    async def run(self) -> None:
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                link = self._link = self._linked(tasks)
                connect = partial(
                    connected,
                    self._client.name,
                    self._config,
                    self._changed,
                    self.logs,
                    self._known,
                    self._authorization,
                )
                self._sessions = Sessions(self._client.name, connect, tasks)
                try:
                    while True:
                        await self._connected_once(self._sessions, link)
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._withdraw(link)
                    tasks.cancel_scope.cancel()

    def _linked(self, tasks: TaskGroup) -> McpLink:
        router, client = self._around.router, self._client
        link = McpLink(router, tasks, client.name, self._config.call_timeout_s)
        link.provider = Provider(
            type=CLIENT_PROVIDER,
            id=client.id,
            name=client.name,
            link=link,
            access=self._config.access,
            concurrency_max=self._config.concurrency_max,
        )
        return link

    async def _connected_once(self, sessions: Sessions, link: McpLink) -> None:
        """From one connection to its end, and the wait before the next."""
        began_s = asyncio.get_running_loop().time()
        # Its lists are read as its owner sees them.
        key, config = self._client.owner_id, self._config
        try:
            async with sessions.held(key) as session:
                one_for_all = config.session == "shared" or session.modern
                link.everybodys = key if one_for_all else None
                await self._stand(session, sessions, link)
            why = "the connection was lost"
        except (HubError, RpcError) as error:
            why = error.message
            await self._withdraw(link)
            self._note("failed", why)
        self._backoff.stood(asyncio.get_running_loop().time() - began_s)
        if self._backoff.attempts or self.server is None:
            await anyio.sleep(self._backoff.failed())
        else:
            # It stood well until now, and is not given up before it was tried once more.
            self._backoff.failed()
        self.logs.add("hub", f"connecting again: {why}")

    async def _stand(self, session: Session, sessions: Sessions, link: McpLink) -> None:
        """Offer what the server has, and keep up with it, until it is lost."""
        self._stale.clear()
        await self._take(await self._listed(session), session.greeting, link)
        link.sessions = sessions
        self._note("connected", None)
        while True:
            if not await self._stale_or_lost(session):
                return
            found = await self._listed(session)
            if found != self._listing:
                await self._take(found, session.greeting, link)

    async def _listed(self, session: Session) -> Listing:
        try:
            with anyio.fail_after(self._config.connect_timeout_s):
                return await listing(session, self._client.name, self._config.access)
        except TimeoutError:
            raise TimedOut(
                f"{self._client.name} did not list what it has in time",
                server=self._client.name,
                timeoutS=self._config.connect_timeout_s,
            ) from None

    async def _stale_or_lost(self, session: Session) -> bool:
        """Wait for a reason to look again; False where there is nothing to look at any more."""
        async with anyio.create_task_group() as waiting:

            async def first(event: asyncio.Event) -> None:
                await event.wait()
                waiting.cancel_scope.cancel()

            waiting.start_soon(first, self._stale)
            waiting.start_soon(first, session.wire.lost)
            await anyio.sleep(self._config.poll_s)
            waiting.cancel_scope.cancel()
        if session.wire.lost.is_set():
            return False
        if self._stale.is_set():
            await anyio.sleep(SETTLE_S)
            self._stale.clear()
        return True

    def _changed(self, method: str, params: Raw) -> None:
        """The server says that something has changed."""
        if method == UPDATED and self._link is not None:
            uri = self._link.subscriptions.told(params)
            if uri is not None:
                event = ResourceUpdated(client_id=self._client.id, uri=uri)
                self._around.bus.publish([event])
        elif method.endswith("/list_changed"):
            self._stale.set()

    async def _take(self, found: Listing, greeting: Greeting, link: McpLink) -> None:
        """Store and offer what the server lists."""
        before = None if self.server is None else self._listing
        self._listing = found
        own = [(tool.spec, tool.name) for tool in found.tools]
        shared = [FEATURE_SPECS[each.name] for each in features(greeting.capabilities)]
        specs = [spec for spec, _ in own] + shared
        names = [name for _, name in own] + [spec.name for spec in shared]
        now = self._around.clock()

        async def work(tx: WriteTransaction) -> list[Definition]:
            stored, news = await catalog.define(tx, specs, now)
            offers = [
                Offer(row=stored[spec.id].row, namespace=spec.namespace, name=name)
                for spec, name in zip(specs, names, strict=True)
            ]
            await catalog.activate(tx, CLIENT_PROVIDER, self._client.id, offers, now)
            if news:
                tx.publish(OperationsDefined(operations=news))
            return [defined(stored[spec.id].row, spec, relayed=not spec.shared) for spec in specs]

        definitions = await self._around.database.write(work)
        link.offers(found.tools)
        self._around.router.offer(link.provider, [(each, each.id) for each in definitions])
        self.server = self._seen(found, greeting)
        changed = _what_changed(before, found)
        self._around.bus.publish([ServerChanged(client_id=self._client.id, what=changed)])

    def _seen(self, found: Listing, greeting: Greeting) -> Server:
        return Server(
            client_id=self._client.id,
            name=self._client.name,
            group=self._config.group,
            era=greeting.era,
            capabilities=greeting.capabilities,
            info=greeting.info,
            instructions=greeting.instructions,
            tools=tuple(tool.spec for tool in found.tools),
            resources=found.resources,
            templates=found.templates,
            prompts=found.prompts,
        )

    async def _withdraw(self, link: McpLink) -> None:
        """The server is not there: nothing of it is offered."""
        if self.server is None:
            return
        self.server, link.sessions = None, None
        self._around.router.withdraw(link.provider)
        self._around.bus.publish([ServerChanged(client_id=self._client.id, what=EVERYTHING)])
        now: datetime = self._around.clock()
        await self._around.database.write(
            lambda tx: catalog.deactivate(tx, CLIENT_PROVIDER, self._client.id, now)
        )

    def _note(self, status: Status, error: str | None) -> None:
        error = None if error is None else self.logs.hidden(error)
        if status != self._told[0]:
            self.logs.add("hub", status if error is None else f"{status}: {error}")
            self._told = (status, epoch_ms(), error)
        else:
            self._told = (status, self._told[1], error)


def _what_changed(before: Listing | None, now: Listing) -> frozenset[str]:
    if before is None:
        return EVERYTHING
    same: dict[str, Callable[[Listing], object]] = {
        "tools": lambda each: each.tools,
        "resources": lambda each: (each.resources, each.templates),
        "prompts": lambda each: each.prompts,
    }
    return frozenset(what for what, of in same.items() if of(before) != of(now))
