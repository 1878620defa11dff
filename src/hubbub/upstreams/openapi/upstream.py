"""One HTTP API: offered for as long as somebody listens there."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from hubbub.catalog import store as catalog
from hubbub.catalog.model import Definition, defined
from hubbub.catalog.store import Offer, Stored
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import Unavailable
from hubbub.kernel.groups import ungrouped
from hubbub.services.model import Client, HttpApi
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.backoff import Backoff
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.upstream import Around
from hubbub.upstreams.openapi import store
from hubbub.upstreams.openapi.binding import binding_of
from hubbub.upstreams.openapi.link import CLIENT_PROVIDER, HttpApiLink
from hubbub.upstreams.openapi.servers import origin
from hubbub.upstreams.upstream import Standing, Status

log = logging.getLogger(__name__)

KNOCKING_S: Final = 10.0


class HttpApiUpstream:
    """Offers the operations of one client row of type `http-api`.

    There is no connection to keep. An API is there until a call cannot reach it, and from then on
    is not, until somebody listens there again.
    """

    def __init__(self, client: Client, config: HttpApi, around: Around) -> None:
        self.logs = Logs()
        self._client = client
        self._config = config
        self._around = around
        self._backoff = Backoff(client.id)
        self._lost = asyncio.Event()
        self._offers: Sequence[tuple[Definition, str]] = ()
        self._told: tuple[Status, int, str | None] = ("connecting", epoch_ms(), None)

    @property
    def standing(self) -> Standing:
        status, since, error = self._told
        return Standing(
            status=status,
            since=since,
            error=error,
            attempts=self._backoff.attempts,
            tools=len(self._offers),
        )

    async def run(self) -> None:
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                link = self._linked(tasks)
                try:
                    while True:
                        await self._stand(link)
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._withdraw(link)
                        await link.close()
                    tasks.cancel_scope.cancel()

    def _linked(self, tasks: TaskGroup) -> HttpApiLink:
        return HttpApiLink(
            self._around.router, self._client, self._config, tasks, lost=self._lost.set
        )

    async def _stand(self, link: HttpApiLink) -> None:
        """From the first knock that is heard to the first that is not, and the wait after it."""
        try:
            await self._knock()
        except Unavailable as error:
            await self._withdraw(link)
            self._note("failed", error.message)
            await anyio.sleep(self._backoff.failed())
            return
        self._backoff.attempts = 0
        self._lost.clear()
        if not self._offers:
            await self._offer(link)
        self._note("connected", None)
        await self._lost.wait()

    async def _knock(self) -> None:
        """See whether somebody listens there.

        Raises:
            Unavailable: if nobody does.
        """
        _, host, port = origin(self._config.base_url)
        try:
            with anyio.fail_after(min(KNOCKING_S, self._config.connect_timeout_s)):
                async with aclosing(await anyio.connect_tcp(host, port)):
                    pass
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Unavailable(f"{self._client.name} cannot be reached", server=host) from error

    async def _offer(self, link: HttpApiLink) -> None:
        now = self._around.clock()

        async def work(tx: WriteTransaction) -> list[tuple[Definition, str]]:
            stored = await store.operations_of(tx, self._client)
            offers = offers_of(stored, self._client)
            rows = [
                Offer(row=each.row, namespace=each.spec.namespace, name=each.spec.name)
                for each, _ in offers
            ]
            await catalog.activate(tx, CLIENT_PROVIDER, self._client.id, rows, now)
            return offers

        self._offers = await self._around.database.write(work)
        self._around.router.offer(link.provider, self._offers)

    async def _withdraw(self, link: HttpApiLink) -> None:
        if not self._offers:
            return
        self._offers = ()
        self._around.router.withdraw(link.provider)
        now = self._around.clock()
        await self._around.database.write(
            lambda tx: catalog.deactivate(tx, CLIENT_PROVIDER, self._client.id, now)
        )

    def _note(self, status: Status, error: str | None) -> None:
        before, since, _ = self._told
        if status != before:
            self.logs.add("hub", status if error is None else f"{status}: {error}")
            since = epoch_ms()
        self._told = (status, since, error)


def offers_of(stored: Sequence[Stored], client: Client) -> list[tuple[Definition, str]]:
    """What a client offers: its rows in the catalogue, each under its own name."""
    offers: list[tuple[Definition, str]] = []
    for each in stored:
        try:
            binding_of(each.spec.meta)
        except msgspec.ValidationError as error:
            log.warning("%s of %s cannot be called: %s", each.spec.id, client.name, error)
        else:
            offers.append((defined(each.row, each.spec), each.spec.id))
    return offers
