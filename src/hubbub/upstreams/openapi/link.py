"""The way to an HTTP API: calls become requests."""

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from hubbub.calls.model import Call, Provider
from hubbub.calls.router import Router
from hubbub.calls.tasked import TaskedLink
from hubbub.catalog.model import Definition, defined
from hubbub.catalog.store import Stored
from hubbub.kernel.errors import TimedOut, Unavailable
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.events import Events
from hubbub.services.model import Client, HttpApi
from hubbub.upstreams.openapi.binding import binding_of
from hubbub.upstreams.openapi.request import request_of
from hubbub.upstreams.openapi.response import ERROR_BYTES_MAX, EVENTS, answered, happened, refused
from hubbub.upstreams.upstream import CLIENT_PROVIDER

log = logging.getLogger(__name__)


class HttpApiLink(TaskedLink):
    """Carries calls out as requests of one API.

    No more of them than the provider's `concurrency_max` are under way: the router sends no more.
    """

    def __init__(
        self,
        router: Router,
        client: Client,
        api: HttpApi,
        tasks: TaskGroup,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            api: the client's configuration, its secrets filled in.
            lost: called when the API could not be reached.
        """
        super().__init__(router, tasks)
        self._api = api
        self._lost = lost
        self._wire: Any = None
        self._opening = asyncio.Lock()
        self._closed = False
        self.provider = Provider(
            type=CLIENT_PROVIDER,
            id=client.id,
            name=client.name,
            link=self,
            access=api.access,
            concurrency_max=api.concurrency_max,
        )

    async def close(self) -> None:
        """Take no more calls, stop those under way, and close the connections."""
        self._closed = True
        for scope in self._running.values():
            scope.cancel("the connections are closed")
        async with self._opening:
            if self._wire is not None:
                await self._wire.close()

    def _admit(self, call: Call) -> None:
        if self._closed:
            raise Unavailable(f"{self.provider.name} is not called any more")

    async def _answer(self, call: Call) -> None:
        try:
            await self._answered(call)
        except Unavailable:
            self._lost()
            raise

    async def _answered(self, call: Call) -> None:
        binding = binding_of(call.definition.spec.meta)
        request = request_of(binding, self._api, call.input, f"hubbub-{os.urandom(16).hex()}")
        wire = await self._opened()
        async with AsyncExitStack() as stack:
            with self._in_time():
                answer = await stack.enter_async_context(wire.answer(request))
                if not answer.head.good:
                    body, whole = await answer.start(ERROR_BYTES_MAX)
                    raise refused(answer.head, body, whole=whole)
                streams = call.definition.streams and answer.head.content_type == EVENTS
                if not streams:
                    envelope = answered(answer.head, await answer.body())
            if streams:
                await self._relay(call, answer)
            else:
                self._router.responded(self.provider, call.id, envelope)
        if call.definition.streams:
            self._router.completed(self.provider, call.id)

    async def _relay(self, call: Call, answer: Any) -> None:
        events = Events(FRAME_BYTES_MAX)
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                for event in events.fed(chunk):
                    self._router.responded(self.provider, call.id, happened(answer.head, event))

    async def _opened(self) -> Any:
        """The connections, made at the first call: the library behind them takes a while to load,
        and a hub starts sooner without it."""
        async with self._opening:
            if self._closed:
                raise Unavailable(f"{self.provider.name} is not called any more")
            if self._wire is None:
                wire = await asyncio.to_thread(
                    importlib.import_module, "hubbub.upstreams.openapi.wire"
                )
                self._wire = wire.Wire(self._api)
            return self._wire

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            with anyio.fail_after(self._api.call_timeout_s):
                yield
        except TimeoutError:
            raise TimedOut(
                f"{self.provider.name} did not answer in time",
                server=self.provider.name,
                timeoutS=self._api.call_timeout_s,
            ) from None


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
