"""The few requests that a login takes, each of them bounded."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from hubbub.kernel.errors import Unavailable

BYTES_MAX: Final = 256 * 1024
TIMEOUT_S: Final = 15.0
JSON: Final = {"Accept": "application/json"}


class Web:
    """Asks for documents and tokens."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetched(self, url: str) -> bytes | None:
        """A document; None where there is none.

        Raises:
            Unavailable: nobody answers there.
        """
        status, body = await self._asked("GET", url)
        return body if status == 200 else None

    async def posted(
        self, url: str, *, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        return await self._asked("POST", url, data=dict(form), headers={**JSON, **headers})

    async def registered(self, url: str, body: bytes) -> tuple[int, bytes]:
        headers = {**JSON, "Content-Type": "application/json"}
        return await self._asked("POST", url, data=body, headers=headers)

    async def _asked(
        self,
        method: str,
        url: str,
        *,
        data: object = None,
        headers: Mapping[str, str] = JSON,
    ) -> tuple[int, bytes]:
        if urlsplit(url).scheme not in ("http", "https"):
            raise Unavailable(f"{url[:200]} is no address of the web", url=url[:200])
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                body = await response.content.read(BYTES_MAX)
                return response.status, body
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"{url[:200]} cannot be reached: {error}", url=url[:200]) from error


@asynccontextmanager
async def web() -> AsyncIterator[Web]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Web(session)
