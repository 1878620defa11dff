"""Where the hub is logged in: what was let in with is kept as a secret of the client."""

import importlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Conflict, HubError, NotFound
from hubbub.kernel.events import Bus
from hubbub.operations.context import Context, Writing
from hubbub.protocol.codec import encode
from hubbub.services import access, store
from hubbub.services.configuration import AnyConfig
from hubbub.services.events import ClientChanged
from hubbub.services.model import Client, McpServer
from hubbub.services.secrets import Secrets
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.oauth.challenge import Challenge
from hubbub.upstreams.oauth.model import Begun, Login

log = logging.getLogger(__name__)

SECRET: Final = "oauth.login"
BEGUN_MAX: Final = 100
AUTHORIZATION: Final = "Authorization"

_decode = msgspec.json.Decoder(Login).decode


class Logins:
    """Begins logins, ends them, and lets connections use what they brought."""

    def __init__(self, database: Database, bus: Bus, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._secrets = secrets
        self._clock = clock
        self._wanted: dict[str, Challenge] = {}  # by client; no more than there are
        self._begun: OrderedDict[str, tuple[str, Begun]] = OrderedDict()  # by state

    async def let_in(self, client: Client, config: AnyConfig) -> AnyConfig:
        """The config with what a login has brought, renewed if its time is over."""
        if not isinstance(config, McpServer) or config.url is None:
            return config
        if any(name.lower() == AUTHORIZATION.lower() for name in config.headers):
            return config
        login = await self._login(client.id)
        if login is None:
            return config
        if login.stale(self._clock().timestamp()) and login.refresh_token is not None:
            login = await self._renewed(client.id, login)
        headers = {**config.headers, AUTHORIZATION: f"Bearer {login.access_token}"}
        return msgspec.structs.replace(config, headers=headers)

    async def refused(self, client_id: str, challenge: Challenge) -> bool:
        """A connection was turned away. Whether to try again at once, with a newer token."""
        self._wanted[client_id] = challenge
        try:
            login = await self._login(client_id)
            if challenge.insufficient or login is None or login.refresh_token is None:
                return False
            await self._renewed(client_id, login)
        except HubError as error:
            log.info("the login of client %s was not renewed: %s", client_id, error.message)
            return False
        return True

    def call_refused(self, client_id: str, challenge: Challenge) -> None:
        """A call was turned away where others are let in, or are not any more."""
        self._wanted[client_id] = challenge
        if not challenge.insufficient:
            self._bus.publish([ClientChanged(client_id=client_id)])

    async def begin(self, client: Client, redirect_uri: str) -> Begun:
        """What a person is to do.

        Raises:
            Conflict: no login helps here.
            Unavailable: it cannot be found out.
        """
        config = await self._secrets.resolved(client)
        if not isinstance(config, McpServer) or config.url is None:
            raise Conflict("only servers behind a URL ask for a login", client=client.id)
        challenge = self._wanted.get(client.id, Challenge())
        before = await self._login(client.id)
        async with _web() as (flow, web):
            begun: Begun = await flow.begun(
                web, config.url, config.oauth, challenge, before, redirect_uri
            )
        self._begun[begun.state] = (client.id, begun)
        while len(self._begun) > BEGUN_MAX:
            self._begun.popitem(last=False)
        return begun

    async def finish(self, ctx: Context, redirected: str) -> Client:
        """Keep what a person has brought.

        Raises:
            NotFound: no login waits for this.
            Invalid: that is no answer to what was asked.
            Unavailable: the authorization server refuses.
        """
        async with _web() as (flow, web):
            client_id, begun = self._begun.pop(flow.state_of(redirected), ("", None))
            if begun is None:
                raise NotFound("no login waits for this, or not any more")
            async with ctx.database.reading() as tx:
                client = await access.changeable(tx, ctx.caller, client_id)
            login = await flow.finished(web, begun, redirected, self._clock().timestamp())
        values = await self._secrets.encrypted(client.id, {SECRET: encode(login).decode()})

        async def work(tx: WriteTransaction) -> None:
            await access.changeable(tx, ctx.caller, client.id)
            await store.put_secret(tx, client.id, SECRET, values[SECRET], None, ctx.now)
            writing = Writing(caller=ctx.caller, call_id=ctx.call_id, now=ctx.now, tx=tx)
            await note(writing, "client.authorized", client=client.id, name=client.name)
            tx.publish(ClientChanged(client_id=client.id))

        await ctx.database.write(work)
        self._wanted.pop(client.id, None)
        return client

    async def _login(self, client_id: str) -> Login | None:
        async with self._database.reading() as tx:
            known = {each.name for each in await store.secrets(tx, client_id, [SECRET])}
        if not known:
            return None
        return _decode((await self._secrets.of(client_id))[SECRET])

    async def _renewed(self, client_id: str, login: Login) -> Login:
        async with _web() as (flow, web):
            renewed: Login = await flow.renewed(web, login, self._clock().timestamp())
        values = await self._secrets.encrypted(client_id, {SECRET: encode(renewed).decode()})
        now = self._clock()
        # Nothing is published: whoever renews it is about to use it.
        await self._database.write(
            lambda tx: store.put_secret(tx, client_id, SECRET, values[SECRET], None, now)
        )
        return renewed


@asynccontextmanager
async def _web() -> AsyncIterator[tuple[Any, Any]]:
    """The flow of a login, and the web for it. Both take a while to load, and few hubs log in."""
    flow = importlib.import_module("hubbub.upstreams.oauth.flow")
    async with importlib.import_module("hubbub.upstreams.oauth.web").web() as web:
        yield flow, web
