"""MCP servers of the oldest revision over HTTP: a stream to hear, and another URL to send to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import aiohttp
import anyio

from hubbub.kernel.errors import HubError
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.events import Event, Events
from hubbub.protocol.mcp import RequestId
from hubbub.services.model import McpServer
from hubbub.upstreams.mcp.messages import Incoming, incoming
from hubbub.upstreams.mcp.wire import Heard, Pending, lost, unreachable
from hubbub.upstreams.oauth.authorization import Authorization
from hubbub.upstreams.web import Web, web_client


class SseWire:
    """One stream and the URL that its server named."""

    plain = True

    def __init__(self, server: str, web: Web, url: str, heard: Heard) -> None:
        self.lost = asyncio.Event()
        self._server = server
        self._web = web
        self._url = url
        self._heard = heard
        self._pending = Pending(server)
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def exchange(
        self, id: RequestId, message: bytes, headers: Mapping[str, str], heard: Heard
    ) -> Incoming:
        answer = self._pending.opened(id, heard)
        try:
            await self.tell(message)
            return await answer
        finally:
            self._pending.closed(id)

    async def tell(self, message: bytes) -> None:
        if self.lost.is_set():
            raise unreachable(self._server, "its stream has ended")
        url = await self._endpoint
        headers = {"Content-Type": "application/json"}
        try:
            async with self._web.request("POST", url, headers, data=message) as response:
                if response.status >= 400:
                    raise unreachable(self._server, f"it answered {response.status}")
        except aiohttp.ClientConnectorError as error:
            raise unreachable(self._server, str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise lost(self._server) from error

    async def listen(self) -> None:
        """It all comes in one stream."""

    def greeted(self, version: str | None) -> None:
        """The oldest revision says it nowhere."""

    async def read(self) -> None:
        """Take what the server says, until its stream ends."""
        events = Events(FRAME_BYTES_MAX)
        try:
            headers = {"Accept": "text/event-stream"}
            async with self._web.request("GET", self._url, headers) as response:
                if response.status != 200:
                    raise unreachable(self._server, f"it answered {response.status}")
                async for chunk in response.content.iter_any():
                    for event in events.fed(chunk):
                        self._take(event)
        except HubError as error:
            self._failed(error)
        except (aiohttp.ClientError, OSError) as error:
            self._failed(unreachable(self._server, str(error)))
        finally:
            self.lost.set()
            self._pending.lost()
            self._failed(unreachable(self._server, "its stream has ended"))

    def _failed(self, error: HubError) -> None:
        if not self._endpoint.done():
            self._endpoint.set_exception(error)
            self._endpoint.exception()  # it may be that nobody asks

    def _take(self, event: Event) -> None:
        if event.kind == "endpoint":
            url = urljoin(self._url, event.data.decode("utf-8", "replace"))
            if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
                # The secrets in the headers are meant for this server alone.
                self._failed(unreachable(self._server, "it names an endpoint elsewhere"))
            elif not self._endpoint.done():
                self._endpoint.set_result(url)
            return
        for message in incoming(event.data):
            if not self._pending.take(message):
                self._heard(message)


@asynccontextmanager
async def sse(
    server: str, config: McpServer, heard: Heard, authorization: Authorization | None
) -> AsyncIterator[SseWire]:
    """A server whose stream is heard until the block is left."""
    assert config.url is not None
    async with web_client(config) as client, anyio.create_task_group() as tasks:
        wire = SseWire(server, Web(client, authorization), config.url, heard)
        tasks.start_soon(wire.read)
        try:
            yield wire
        finally:
            wire.lost.set()
            tasks.cancel_scope.cancel()
