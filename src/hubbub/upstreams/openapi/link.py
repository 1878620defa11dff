"""The way to an HTTP API: calls become requests."""

import asyncio
import importlib
import logging
import os
from collections.abc import Iterator, Sequence
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
from hubbub.services.model import Client, HttpApi
from hubbub.upstreams.openapi.binding import binding_of
from hubbub.upstreams.openapi.request import request_of
from hubbub.upstreams.openapi.response import (
    ERROR_BYTES_MAX,
    EVENTS,
    answered,
    happened,
    refused,
)
from hubbub.upstreams.openapi.sse import EventStream
from hubbub.upstreams.upstream import CLIENT_PROVIDER

log = logging.getLogger(__name__)


class HttpApiLink(TaskedLink):
    """Carries calls out as requests of one API, each in a task of its own.

    No more of them than the provider's `concurrency_max` are under way: the router sends no more.
    """

    def __init__(self, router: Router, client: Client, api: HttpApi, tasks: TaskGroup) -> None:
        """`api` is the client's configuration with its secrets filled in."""
        super().__init__(router, tasks)
        self._api = api
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

    def _admit(self, call: Call) -> None:
        if self._closed:
            raise Unavailable("the connections to the API are being closed")

    async def close(self) -> None:
        """Take no more calls, stop those under way, and close the connections."""
        self._closed = True
        for scope in self._running.values():
            scope.cancel("the connections are closed")
        async with self._opening:
            if self._wire is not None:
                await self._wire.close()

    async def _answer(self, call: Call) -> None:
        binding = binding_of(call.definition.spec.meta)
        request = request_of(binding, self._api, call.input, f"hubbub-{os.urandom(16).hex()}")
        wire = await self._opened()
        async with AsyncExitStack() as stack:
            with _in_time(self._api.call_timeout_s):
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
        events = EventStream()
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                for event in events.feed(chunk):
                    envelope = happened(answer.head, event.data, event.type, event.id)
                    self._router.responded(self.provider, call.id, envelope)

    async def _opened(self) -> Any:
        """The connections, made at the first call: the library behind them takes a while to load,
        and a hub starts sooner without it."""
        async with self._opening:
            if self._closed:
                raise Unavailable("the connections to the API are being closed")
            if self._wire is None:
                wire = await asyncio.to_thread(
                    importlib.import_module, "hubbub.upstreams.openapi.wire"
                )
                self._wire = wire.Wire(self._api)
            return self._wire


def offers_of(stored: Sequence[Stored], client: Client) -> list[tuple[Definition, str]]:
    """What the client of a link offers: its rows in the catalogue, each under its own name."""
    offers: list[tuple[Definition, str]] = []
    for each in stored:
        try:
            binding_of(each.spec.meta)
        except msgspec.ValidationError as error:
            log.warning("%s of %s cannot be called: %s", each.spec.id, client.name, error)
        else:
            offers.append((defined(each.row, each.spec), each.spec.id))
    return offers


@contextmanager
def _in_time(seconds: float | None) -> Iterator[None]:
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise TimedOut("the API did not answer in time", timeoutS=seconds) from error
