"""Requests over the network, on connections that are kept. Only the configured origin is called."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from io import BytesIO
from typing import Final
from urllib.parse import urldefrag, urljoin

import aiohttp
from yarl import URL

from hubbub.kernel.errors import ExecutionFailed, HubError, Unavailable
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.services.model import HttpApi
from hubbub.upstreams.openapi.request import Request
from hubbub.upstreams.openapi.response import Head, head, too_large
from hubbub.upstreams.openapi.servers import fit, origin

REDIRECTS_MAX: Final = 5
CHUNK_BYTES: Final = 64 * 1024
IDLE_S: Final = 15.0
"""How long a connection is kept that nobody uses: servers keep theirs hardly longer."""
_REPEATED: Final = (307, 308)
_SAFE: Final = ("GET", "HEAD")


class Answer:
    """A response whose body has not been read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.head: Head = head(
            response.status,
            response.reason or "",
            [(name, value) for name, value in response.headers.items()],
        )

    async def body(self, bytes_max: int = FRAME_BYTES_MAX) -> bytes:
        """All of it.

        Raises:
            TooLarge: if it is more than that.
        """
        made, whole = await self.start(bytes_max)
        if not whole:
            raise too_large(bytes_max)
        return made

    async def start(self, bytes_max: int) -> tuple[bytes, bool]:
        """As much of it, and whether that is all."""
        made = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                made += chunk
                if len(made) > bytes_max:
                    return bytes(made[:bytes_max]), False
        return bytes(made), True

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What comes, as it comes."""
        with _told():
            async for chunk in self._response.content.iter_any():
                yield chunk


class Wire:
    """The connections to one API."""

    def __init__(self, api: HttpApi) -> None:
        self._origin = origin(api.base_url)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=api.concurrency_max, keepalive_timeout=IDLE_S, ttl_dns_cache=60
            ),
            # What one caller is given no other shall bring back.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=api.connect_timeout_s),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
            trust_env=False,
            middlewares=(_once,),
        )

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def answer(self, request: Request) -> AsyncIterator[Answer]:
        """What comes back. Leaving before its end closes the connection.

        Raises:
            Unavailable: if nothing was sent.
            ExecutionFailed: if the connection broke later.
        """
        method, url, body = request.method, request.url, request.body
        for _ in range(REDIRECTS_MAX + 1):
            with _told():
                response = await self._session.request(
                    method,
                    URL(url, encoded=True),
                    headers=request.headers,
                    data=None if body is None else BytesIO(body),
                    allow_redirects=False,
                )
            async with response:
                onward = self._onward(url, response)
                if onward is None or not (
                    response.status in _REPEATED or response.status == 303 or method in _SAFE
                ):
                    yield Answer(response)
                    return
                if response.status == 303 and method != "HEAD":
                    method, body = "GET", None
            url = onward
        raise ExecutionFailed(
            "the API sends its callers round in a circle", redirects=REDIRECTS_MAX
        )

    def _onward(self, url: str, response: aiohttp.ClientResponse) -> str | None:
        """Where a redirect leads, if that is on the same origin; others see no credentials."""
        location = response.headers.get("Location")
        if location is None or response.status not in (301, 302, 303, *_REPEATED):
            return None
        try:
            onward = urldefrag(urljoin(url, location)).url
        except ValueError:
            return None
        return onward if fit(onward) and origin(onward) == self._origin else None


@contextmanager
def _told() -> Iterator[None]:
    """Gives what goes wrong on the way a name. What the library says holds the URL, and with it
    perhaps a key: of that only the kind is told."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        reason = getattr(getattr(error, "os_error", None), "strerror", None)
        raise Unavailable(
            "the API cannot be reached", reason=str(reason or _kind(error))
        ) from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _broken(error) from error


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The library sends a PUT or a DELETE again when a connection that was kept breaks under it;
    that may have been done already, and is for the caller to judge."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in _SAFE:
            raise
        raise _broken(error) from error


def _broken(error: Exception) -> HubError:
    return ExecutionFailed(
        "the connection to the API broke before its answer was there", reason=_kind(error)
    )


def _kind(error: BaseException) -> str:
    return type(error).__name__
