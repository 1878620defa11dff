"""HTTP to what the hub dials."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import aiohttp

from hubbub.services.model import McpServer
from hubbub.upstreams.oauth.authorization import Authorization
from hubbub.upstreams.oauth.challenge import challenged

READ_BUFFER_BYTES: Final = 256 * 1024
TRIES_MAX: Final = 2


def web_client(config: McpServer) -> aiohttp.ClientSession:
    """Connections to one server, kept as long as it is used. Calls have deadlines of their own."""
    return aiohttp.ClientSession(
        headers=config.headers,
        # How many calls there are at once is bounded elsewhere; a stream keeps a connection.
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=READ_BUFFER_BYTES,
    )


class Web:
    """Requests to one server, with what it wants to be shown."""

    def __init__(self, client: aiohttp.ClientSession, authorization: Authorization | None) -> None:
        self._client = client
        self._authorization = authorization

    def request(
        self, method: str, url: str, headers: Mapping[str, str], **more: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """A response. What is refused for its token was not done, so it is sent once more with
        another one, where there is one. Redirects are not followed.

        Raises:
            NeedsAuthorization: somebody has to agree first.
            HubError: there is no token to be had now.
        """
        more["allow_redirects"] = False
        if self._authorization is None:
            return self._client.request(method, url, headers=headers, **more)
        return self._shown(self._authorization, method, url, headers, **more)

    @asynccontextmanager
    async def _shown(
        self,
        authorization: Authorization,
        method: str,
        url: str,
        headers: Mapping[str, str],
        **more: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        send = self._client.request
        for tries in range(1, TRIES_MAX + 1):
            token = await authorization.token()
            shown = headers if token is None else {**headers, "Authorization": f"Bearer {token}"}
            async with send(method, url, headers=shown, **more) as response:
                said = response.headers.getall("WWW-Authenticate", ())
                challenge = challenged(response.status, said)
                if challenge is None:
                    if token is not None and response.ok:
                        authorization.let_in()
                    yield response
                    return
            await authorization.challenged(challenge, token, last=tries == TRIES_MAX)
