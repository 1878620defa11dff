"""Being let in, as the SDK of MCP does it; what it wants sent goes out by our own client.

The SDK's provider is a generator of requests. It is given a challenge as if it had just been
received, and is left as soon as it would repeat the request that was refused.
"""

import json
import logging
from contextlib import aclosing
from typing import Final

import aiohttp
import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.client.auth.utils import is_valid_client_metadata_url, issuers_match
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from hubbub.kernel.errors import Invalid, Unavailable
from hubbub.protocol.mcp import MODERN
from hubbub.services.model import McpServer, OAuth
from hubbub.upstreams.oauth.challenge import Challenge
from hubbub.upstreams.oauth.grant import Grant, Tokens
from hubbub.upstreams.oauth.requests import sent
from hubbub.upstreams.oauth.storage import Storage
from hubbub.upstreams.oauth.visit import Keep, Visit

# It logs what authorization servers answer, as it comes. What went wrong is told by the error.
logging.getLogger("mcp.client.auth").setLevel(logging.CRITICAL + 1)

REQUESTS_MAX: Final = 20
SAID_CHARS_MAX: Final = 200
UNKNOWN_CLIENT: Final = ("invalid_client", "unauthorized_client")


class Refused(Unavailable):
    """The authorization server has said no, and will not say otherwise by itself."""


async def renewed(config: McpServer, grant: Grant, challenge: Challenge, keep: Keep) -> None:
    """Get another token without asking anybody.

    Raises:
        Refused: it cannot be had so.
        Unavailable: not now.
    """
    storage = Storage(config, grant, keep)
    if config.oauth is not None and config.oauth.grant == "client-credentials":
        storage.provider = _credentialed(config, config.oauth, storage)
        await _Run(storage, challenge).done()
        return
    tokens = grant.tokens
    if tokens is None or tokens.refresh is None:
        raise Refused("there is no token that gets another one")
    storage.tokens = _shown(tokens, refresh=tokens.refresh)
    storage.provider = _provider(config, storage, None)
    await _Run(storage, None).done()


async def authorized(
    config: McpServer, grant: Grant, challenge: Challenge, visit: Visit, keep: Keep
) -> None:
    """Have a person agree, and get a token for it.

    Raises:
        Refused: the person did not, or the servers do not fit together.
        Unavailable: not now.
        Invalid: the config says what cannot be.
    """
    storage = Storage(config, grant, keep)
    storage.redirect_url = visit.redirect_url
    if challenge.more and grant.tokens is not None:
        storage.tokens = _shown(grant.tokens, refresh=None)  # what was granted is asked for again
    storage.provider = _provider(config, storage, visit)
    await _Run(storage, challenge).done()


class _Run:
    """One run of the SDK's flow, as far as it goes until the server would be asked again."""

    def __init__(self, storage: Storage, challenge: Challenge | None) -> None:
        self._storage = storage
        self._challenge = challenge
        self._context = storage.provider.context
        self._said = ""

    async def done(self) -> None:
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as web:
                await self._driven(web)
        except (OAuthFlowError, ValueError, httpx2.InvalidURL) as error:
            raise Refused(self._said or str(error)[:SAID_CHARS_MAX]) from error
        if self._context.current_tokens is None:
            raise Refused(self._said or "there was no token")

    async def _driven(self, web: aiohttp.ClientSession) -> None:
        server = self._storage.config.url or ""
        request = httpx2.Request("POST", server, headers={"MCP-Protocol-Version": MODERN})
        challenge = self._challenge
        async with aclosing(self._storage.provider.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            for _ in range(REQUESTS_MAX):
                if outgoing is not request:
                    response = await sent(web, self._checked(outgoing), server)
                    await self._heard(response)
                elif challenge is None:
                    return
                else:
                    response = self._refusal(request, challenge)
                    challenge = None
                outgoing = await flow.asend(response)
        raise Refused("the authorization server leads nowhere")

    def _refusal(self, request: httpx2.Request, challenge: Challenge) -> httpx2.Response:
        """What the server said, as the SDK would have received it."""
        scope = None if challenge.more else self._storage.oauth.scope
        header = {"WWW-Authenticate": challenge.header(scope)}
        return httpx2.Response(challenge.status, headers=header, request=request)

    def _checked(self, outgoing: httpx2.Request) -> httpx2.Request:
        if outgoing.method == "POST":
            _check_issuer(self._storage.oauth, self._context)
        return outgoing

    async def _heard(self, response: httpx2.Response) -> None:
        """Remember why the authorization server says no."""
        if response.status_code < 400 or response.request.method != "POST":
            return
        try:
            said = json.loads(response.content)
            error, why = said["error"], said.get("error_description")
        except (ValueError, TypeError, LookupError, AttributeError):
            error, why = None, None
        if not isinstance(error, str):
            error, why = f"it answered {response.status_code}", None
        self._said = (f"{error}: {why}" if why else error)[:SAID_CHARS_MAX]
        if error in UNKNOWN_CLIENT:
            await self._storage.forgotten()


def _check_issuer(oauth: OAuth, context: OAuthContext) -> None:
    """See that the hub is led where the config says, if it says anything.

    Raises:
        Refused: it is not.
    """
    found = None if context.oauth_metadata is None else str(context.oauth_metadata.issuer)
    if oauth.issuer is not None and (found is None or not issuers_match(found, oauth.issuer)):
        raise Refused("the server has another authorization server than the config", found=found)


def _provider(config: McpServer, storage: Storage, visit: Visit | None) -> OAuthClientProvider:
    oauth = storage.oauth
    redirect_url = "http://127.0.0.1/" if visit is None else visit.redirect_url
    if oauth.metadata_url is not None and not is_valid_client_metadata_url(oauth.metadata_url):
        field = {"field": "config.oauth.metadataUrl", "expected": "https://HOST/PATH"}
        raise Invalid("the config does not fit", errors=[field])

    async def sent_to(url: str) -> None:
        context = storage.provider.context
        _check_issuer(oauth, context)
        if context.client_info is not None and oauth.client_id is not None:
            storage.fitted(context.client_info)
        assert visit is not None
        # The SDK puts a question mark even where the endpoint has one already.
        endpoint, _, query = url.rpartition("?")
        await visit.sent(f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")

    async def back() -> AuthorizationCodeResult:
        assert visit is not None
        arrival = await visit.back()
        return AuthorizationCodeResult(code=arrival.code, state=arrival.state, iss=arrival.iss)

    return OAuthClientProvider(
        server_url=config.url or "",
        client_metadata=OAuthClientMetadata(
            redirect_uris=[AnyUrl(redirect_url)],
            client_name="Hubbub",
            application_type="native" if redirect_url.startswith("http:") else "web",
        ),
        storage=storage,
        redirect_handler=sent_to,
        callback_handler=back,
        client_metadata_url=oauth.metadata_url,
    )


def _credentialed(config: McpServer, oauth: OAuth, storage: Storage) -> OAuthClientProvider:
    return ClientCredentialsOAuthProvider(
        server_url=config.url or "",
        storage=storage,
        client_id=oauth.client_id or "",
        client_secret=oauth.client_secret or "",
        scope=oauth.scope,
        issuer=oauth.issuer,
    )


def _shown(tokens: Tokens, refresh: str | None) -> OAuthToken:
    return OAuthToken(access_token=tokens.access, refresh_token=refresh, scope=tokens.scope)
