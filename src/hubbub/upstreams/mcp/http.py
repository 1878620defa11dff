"""MCP servers behind a URL: streamable HTTP, of both eras."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import aiohttp
import anyio
from yarl import URL

from hubbub.kernel.errors import HubError, Invalid, TooLarge
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.events import Events
from hubbub.protocol.mcp import INVALID_REQUEST, RequestId
from hubbub.services.model import McpServer
from hubbub.upstreams.mcp.messages import Failure, Incoming, incoming
from hubbub.upstreams.mcp.wire import NO_HEADERS, Heard, SessionGone, lost, too_large, unreachable
from hubbub.upstreams.oauth.authorization import Authorization
from hubbub.upstreams.oauth.challenge import NeedsAuthorization
from hubbub.upstreams.web import Web, web_client

log = logging.getLogger(__name__)

EVENTS: Final = "text/event-stream"
ACCEPT: Final = {"Accept": f"application/json, {EVENTS}", "Content-Type": "application/json"}
SESSION: Final = "Mcp-Session-Id"
VERSION: Final = "MCP-Protocol-Version"
NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
RESUMED_MAX: Final = 5
RETRY_MS: Final = 1000
RETRY_MS_MAX: Final = 30_000
GOODBYE_S: Final = 2.0


class HttpWire:
    """Requests of one session with one server, if it keeps sessions."""

    plain = False

    def __init__(self, server: str, web: Web, url: str, heard: Heard) -> None:
        self.lost = asyncio.Event()
        self.session: str | None = None
        self._server = server
        self._web = web
        self._url = url
        self._heard = heard
        self._headers = dict(ACCEPT)

    def greeted(self, version: str | None) -> None:
        self._headers.pop(VERSION, None)
        if version is not None:
            self._headers[VERSION] = version

    async def exchange(
        self, id: RequestId, message: bytes, headers: Mapping[str, str], heard: Heard
    ) -> Incoming:
        try:
            async with self._posted(message, headers) as response:
                self._note(response)
                if response.status == 200 and response.content_type == EVENTS:
                    return await self._streamed(id, response, heard)
                return await self._answered(id, response)
        except NeedsAuthorization as error:
            if self.session is None or error.challenge.more:
                raise
            # It may be bound to a token that was shown before. A new one tells.
            self.lost.set()
            raise self._gone() from error
        except NOT_SENT as error:
            raise unreachable(self._server, str(error)) from error
        except TooLarge as error:
            raise too_large(self._server) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise lost(self._server) from error

    async def tell(self, message: bytes) -> None:
        try:
            async with self._posted(message) as response:
                await _bounded(response)
        except (aiohttp.ClientError, OSError, TooLarge) as error:
            raise unreachable(self._server, str(error)) from error

    @asynccontextmanager
    async def _posted(
        self, message: bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a message, sent on where the server itself says that it has moved. It
        goes nowhere else: the secrets in the headers are meant for this server alone."""
        for last in (False, True):
            async with self._web.request(
                "POST", self._url, {**self._headers, **headers}, data=message
            ) as response:
                moved = None if last else _moved(response)
                if moved is None:
                    yield response
                    return
            self._url = moved

    def _note(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 404 and self.session is not None:
            self.lost.set()
            raise self._gone()
        given = response.headers.get(SESSION)
        if given is not None and response.status == 200:
            self.session = self._headers[SESSION] = given

    def _gone(self) -> SessionGone:
        return SessionGone(f"{self._server} no longer knows the session", server=self._server)

    async def _answered(self, id: RequestId, response: aiohttp.ClientResponse) -> Incoming:
        """An answer that is not a stream; of another status than 200 it may be an error all the
        same."""
        try:
            body = await _bounded(response)
            answers = [each for each in incoming(body) if each.answers or each.error is not None]
            if answers:
                return answers[0]
        except Invalid:
            pass
        if response.status >= 500:
            raise lost(self._server)
        said = f"{response.status} {response.reason or ''}".strip()
        if response.status in (401, 403, 407, 429):
            # Told to no client as it came: it would try to log in here, to what is not here.
            raise unreachable(self._server, f"it refuses the hub: {said}")
        failure = Failure(code=INVALID_REQUEST, message=f"{self._server} answered {said}")
        return Incoming(id=id, error=failure)

    async def _streamed(
        self, id: RequestId, response: aiohttp.ClientResponse, heard: Heard
    ) -> Incoming:
        events = Events(FRAME_BYTES_MAX)
        found = await self._read(id, response, events, heard)
        for _ in range(RESUMED_MAX):
            if found is not None:
                return found
            if events.last_id is None:
                break
            # The server let go of the stream, to go on where it is asked to.
            await anyio.sleep(_retry_s(events))
            headers = self._headers | {"Last-Event-ID": events.last_id}
            async with self._got(headers) as again:
                if again.status != 200 or again.content_type != EVENTS:
                    break
                found = await self._read(id, again, events, heard)
        if found is not None:
            return found
        raise lost(self._server)

    async def _read(
        self,
        id: RequestId | None,
        response: aiohttp.ClientResponse,
        events: Events,
        heard: Heard,
    ) -> Incoming | None:
        """What a stream says, up to the response to `id`; None if it ends before that."""
        try:
            async for chunk in response.content.iter_any():
                for event in events.fed(chunk):
                    for message in incoming(event.data) if event.data.strip() else ():
                        if not message.answers:
                            heard(message)
                        elif message.id == id:
                            return message
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
            if events.last_id is None:
                raise
        return None

    async def listen(self) -> None:
        """Take what the server says of its own accord, if it does, for as long as the session is
        there. Only servers that shake hands have such a stream."""
        events = Events(FRAME_BYTES_MAX)
        while not self.lost.is_set():
            headers = dict(self._headers)
            if events.last_id is not None:
                headers["Last-Event-ID"] = events.last_id
            try:
                async with self._got(headers) as response:
                    if response.status == 404 and self.session is not None:
                        self.lost.set()
                    if response.status != 200 or response.content_type != EVENTS:
                        return
                    await self._read(None, response, events, self._heard)
            except NeedsAuthorization:
                return
            except (aiohttp.ClientError, OSError, HubError) as error:
                log.debug("the stream of %s ended: %s", self._server, error)
                if isinstance(error, aiohttp.ClientConnectorError):
                    self.lost.set()
            await anyio.sleep(_retry_s(events))

    def _got(
        self, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._web.request("GET", self._url, headers)

    async def goodbye(self) -> None:
        """Let the server forget the session."""
        if self.session is None or self.lost.is_set():
            return
        try:
            with anyio.move_on_after(GOODBYE_S, shield=True):
                async with self._web.request("DELETE", self._url, self._headers):
                    pass
        except (aiohttp.ClientError, OSError, HubError) as error:
            log.debug("%s was not told goodbye: %s", self._server, error)


@asynccontextmanager
async def http(
    server: str, config: McpServer, heard: Heard, authorization: Authorization | None
) -> AsyncIterator[HttpWire]:
    """A server behind a URL."""
    assert config.url is not None
    async with web_client(config) as client:
        wire = HttpWire(server, Web(client, authorization), config.url, heard)
        try:
            yield wire
        finally:
            await wire.goodbye()
            wire.lost.set()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, which is whole.

    Raises:
        TooLarge: if it is over the limit of a frame.
    """
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > FRAME_BYTES_MAX:
            raise TooLarge("the answer is too large", maximum=FRAME_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)


def _moved(response: aiohttp.ClientResponse) -> str | None:
    """Where else on the same server the same is to be sent, as to a path that ends in a slash."""
    if response.status not in (307, 308):
        return None
    url = response.url.join(URL(response.headers.get("Location", "")))
    return str(url) if url.origin() == response.url.origin() else None


def _retry_s(events: Events) -> float:
    ms = RETRY_MS if events.retry_ms is None else events.retry_ms
    return min(ms, RETRY_MS_MAX) / 1000
