"""Documents from where they stand, for whoever may configure clients."""

from typing import Final
from urllib.parse import urldefrag

import aiohttp
from yarl import URL

from hubbub.kernel.errors import ExecutionFailed, Invalid, TooLarge
from hubbub.upstreams.openapi.servers import fit
from hubbub.upstreams.openapi.texts import TEXT_BYTES_MAX

FETCH_S: Final = 30.0
REDIRECTS_MAX: Final = 5
ACCEPT: Final = "application/json, application/yaml, text/yaml, */*;q=0.5"


async def fetched(url: str, *, moves: bool) -> tuple[bytes, str]:
    """What is at a URL, and where it was in the end.

    Args:
        moves: whether it may be somewhere else than there.

    Raises:
        Invalid: if that is no URL of a document.
        ExecutionFailed: if it cannot be had.
        TooLarge: if it is too much.
    """
    if not fit(url):
        raise Invalid(
            "a document is fetched from an http or https URL without a user",
            errors=[{"field": "url", "expected": "an http or https URL", "got": url[:200]}],
        )
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=FETCH_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": ACCEPT, "User-Agent": "hubbub"},
    )
    try:
        async with (
            session,
            session.get(
                URL(urldefrag(url).url, encoded=True),
                allow_redirects=moves,
                max_redirects=REDIRECTS_MAX,
            ) as response,
        ):
            if response.status != 200:
                raise ExecutionFailed("the document is not there", status=response.status, url=url)
            return await _read(response), str(response.url)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ExecutionFailed(
            "the document cannot be fetched", reason=type(error).__name__, url=url
        ) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    made = bytearray()
    async for chunk in response.content.iter_any():
        made += chunk
        if len(made) > TEXT_BYTES_MAX:
            raise TooLarge("the document is too large", maximum=TEXT_BYTES_MAX)
    return bytes(made)
