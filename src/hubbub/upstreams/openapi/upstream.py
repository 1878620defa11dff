"""One HTTP API: what was imported of it is offered for as long as the API can be reached."""

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit

import anyio

from hubbub.catalog import store as catalog
from hubbub.catalog.model import Definition
from hubbub.catalog.store import Offer
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.groups import ungrouped
from hubbub.services.model import Client, HttpApi
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.backoff import Backoff
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.openapi import store
from hubbub.upstreams.openapi.link import HttpApiLink, offers_of
from hubbub.upstreams.openapi.servers import fit, origin
from hubbub.upstreams.upstream import CLIENT_PROVIDER, Around, Standing, Status

log = logging.getLogger(__name__)

POLL_S: Final = 30.0
"""How often it is seen whether somebody listens there still."""
MISSED_MAX: Final = 2


class HttpUpstream:
    """Keeps one client row of type `http-api` offered.

    There is no connection that stands. Whether the API is there shows in that somebody listens at
    its address, which is asked for nothing: from time to time, and when a call found nobody.
    """

    def __init__(self, client: Client, api: HttpApi, around: Around) -> None:
        self.logs = Logs()
        self._client = client
        self._api = api
        self._around = around
        self._backoff = Backoff(client.id)
        self._doubted = asyncio.Event()
        self._offers: list[tuple[Definition, str]] = []
        self._told: tuple[Status, int, str | None] = ("connecting", epoch_ms(), None)

    @property
    def standing(self) -> Standing:
        status, since, error = self._told
        return Standing(
            status=status,
            since=since,
            error=error,
            attempts=self._backoff.attempts,
            server=urlsplit(self._api.base_url).netloc,
            tools=len(self._offers),
        )

    async def run(self) -> None:
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                link = HttpApiLink(
                    self._around.router, self._client, self._api, tasks, lost=self._doubted.set
                )
                try:
                    while True:
                        await self._reached_once(link)
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._withdraw(link)
                        await link.close()
                    tasks.cancel_scope.cancel()

    async def _reached_once(self, link: HttpApiLink) -> None:
        """From when the API is there until it is not."""
        began_s = asyncio.get_running_loop().time()
        why = await self._missing()
        if why is None:
            await self._offer(link)
            why = await self._gone()
        await self._withdraw(link)
        self._note("failed", why)
        self._backoff.stood(asyncio.get_running_loop().time() - began_s)
        await anyio.sleep(self._backoff.failed())

    async def _gone(self) -> str:
        """Wait until nobody has listened there for a while; the answer is what was in the way."""
        missed = 0
        while True:
            self._doubted.clear()
            with anyio.move_on_after(POLL_S):
                await self._doubted.wait()
                missed += 1
            why = await self._missing()
            missed = 0 if why is None else missed + 1
            if why is not None and missed >= MISSED_MAX:
                return why

    async def _missing(self) -> str | None:
        """What is in the way of a connection, if anything is."""
        if not fit(self._api.base_url):
            return "its address is no URL that can be called"
        _, host, port = origin(self._api.base_url)
        try:
            with anyio.fail_after(self._api.connect_timeout_s):
                stream = await anyio.connect_tcp(host, port)
                await stream.aclose()
        except TimeoutError:
            return f"{host}:{port} does not answer"
        except (OSError, UnicodeError) as error:
            return f"{host}:{port} cannot be reached: {error}"
        return None

    async def _offer(self, link: HttpApiLink) -> None:
        now = self._around.clock()

        async def work(tx: WriteTransaction) -> list[tuple[Definition, str]]:
            stored = await store.operations_of(tx, self._client)
            if any(each.spec.access_control != self._api.access for each in stored):
                stored = await store.allow(tx, stored, self._api.access, now)
            offers = offers_of(stored, self._client)
            rows = [
                Offer(row=each.row, namespace=each.spec.namespace, name=each.spec.name)
                for each, _ in offers
            ]
            await catalog.activate(tx, CLIENT_PROVIDER, self._client.id, rows, now)
            return offers

        self._offers = await self._around.database.write(work)
        self._around.router.offer(link.provider, self._offers)
        self._note("connected", None)

    async def _withdraw(self, link: HttpApiLink) -> None:
        if not self._offers:
            return
        self._offers = []
        self._around.router.withdraw(link.provider)
        now = self._around.clock()
        await self._around.database.write(
            lambda tx: catalog.deactivate(tx, CLIENT_PROVIDER, self._client.id, now)
        )

    def _note(self, status: Status, error: str | None) -> None:
        if status != self._told[0]:
            self.logs.add("hub", status if error is None else f"{status}: {error}")
            self._told = (status, epoch_ms(), error)
