"""Requests to authorization servers: bounded, and only where tokens may travel."""

from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx2

from hubbub.kernel.errors import Unavailable
from hubbub.upstreams.oauth.places import permitted

BODY_BYTES_MAX: Final = 256 * 1024
REQUEST_S: Final = 15.0
KEPT: Final = ("content-type", "location", "www-authenticate", "retry-after")
REDIRECTED: Final = (301, 302, 303, 307, 308)


async def sent(web: aiohttp.ClientSession, request: httpx2.Request, server: str) -> httpx2.Response:
    """The response to a request that has to do with being let in at `server`.

    Raises:
        Unavailable: it may not be sent there, or there is no usable answer.
    """
    url = str(request.url)
    if not permitted(url, server):
        raise Unavailable("a token is asked for where it could be read on the way", url=_plain(url))
    headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length")}
    try:
        async with web.request(
            request.method,
            url,
            data=request.read() or None,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=REQUEST_S),
        ) as answer:
            body = await _bounded(answer)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        why = str(error) or "it took too long"
        raise Unavailable(f"{_plain(url)} cannot be asked: {why}"[:500]) from error
    if request.method == "POST" and (answer.status >= 500 or answer.status == 429):
        # It says nothing about the token, which may be good the next time.
        raise Unavailable(f"{_plain(url)} answered {answer.status}")
    kept = {key: answer.headers[key] for key in KEPT if key in answer.headers}
    response = httpx2.Response(answer.status, headers=kept, content=body, request=request)
    if request.method == "GET" and answer.status in REDIRECTED and "location" in kept:
        # It is followed if it stays where it is, which the flow sees to.
        response.next_request = httpx2.Request("GET", request.url.join(kept["location"]))
    return response


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = await answer.content.read(BODY_BYTES_MAX)
    while len(body) < BODY_BYTES_MAX and not answer.content.at_eof():
        body += await answer.content.read(BODY_BYTES_MAX - len(body))
    if not answer.content.at_eof():
        raise ValueError("it answered with too much")
    return body


def _plain(url: str) -> str:
    """Without what may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]
