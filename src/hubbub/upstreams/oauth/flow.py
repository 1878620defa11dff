"""Being let in, as the SDK of MCP does it; what it wants sent goes out by our own client.

The SDK's provider is a generator of requests. It is given a challenge as if it had just been
received, and is left as soon as it would repeat the request that was refused.
"""

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import aiohttp
import httpx2
import msgspec
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.client.auth.utils import is_valid_client_metadata_url, issuers_match
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl, BaseModel

from hubbub.kernel.errors import Invalid, Unavailable
from hubbub.protocol.mcp import MODERN
from hubbub.services.model import McpServer, OAuth
from hubbub.upstreams.oauth.challenge import Challenge
from hubbub.upstreams.oauth.grant import Grant, Tokens, lasting, purpose
from hubbub.upstreams.oauth.requests import sent
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
    storage = _Storage(config, grant, keep)
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
    storage = _Storage(config, grant, keep)
    storage.redirect_url = visit.redirect_url
    if challenge.more and grant.tokens is not None:
        storage.tokens = _shown(grant.tokens, refresh=None)  # what was granted is asked for again
    storage.provider = _provider(config, storage, visit)
    await _Run(storage, challenge).done()


class _Storage:
    """What the SDK is to know of earlier runs, and takes what is new."""

    provider: OAuthClientProvider
    redirect_url: str | None = None
    """Where a person is sent back to, if there is one."""

    def __init__(self, config: McpServer, grant: Grant, keep: Keep) -> None:
        self.config = config
        self.oauth = config.oauth or OAuth()
        self.grant = grant
        self.tokens: OAuthToken | None = None
        self._keep = keep

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Who the hub is. By itself the SDK would look for the endpoints anew each time, and not
        find them where it has to get another token first."""
        context, grant = self.provider.context, self.grant
        context.auth_server_url = grant.authority
        if grant.metadata is not None:
            context.oauth_metadata = OAuthMetadata.model_validate(grant.metadata)
        if grant.resource is not None:
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(
                grant.resource
            )
        if self.tokens is not None and self.tokens.refresh_token is not None:
            context.token_expiry_time = 1.0  # long past, so that it is renewed
        if self.oauth.client_id is not None:
            return self.fitted(_configured(self.oauth, context.client_metadata))
        return _registered(grant, self.redirect_url)

    def fitted(self, client: OAuthClientInformationFull) -> OAuthClientInformationFull:
        """Sending its secret as the authorization server takes it."""
        metadata = self.provider.context.oauth_metadata
        methods = metadata and metadata.token_endpoint_auth_methods_supported
        if client.client_secret and methods and "client_secret_basic" not in methods:
            client.token_endpoint_auth_method = "client_secret_post"
        return client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        await self._noted(self.grant.tokens)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        await self._noted(
            lasting(
                tokens.access_token,
                tokens.refresh_token,
                tokens.scope,
                tokens.expires_in,
                time.time(),
            )
        )

    async def forgotten(self) -> None:
        """The authorization server does not know the hub any more: next time it registers anew."""
        if self.grant.registration is not None:
            self.grant = msgspec.structs.replace(self.grant, registration=None, tokens=None)
            await self._keep(self.grant)

    async def _noted(self, tokens: Tokens | None) -> None:
        context = self.provider.context
        registration = _json(context.client_info) if self.oauth.client_id is None else None
        if registration is not None and self.redirect_url is not None:
            registration["redirect_uris"] = [self.redirect_url]
        self.grant = Grant(
            of=purpose(self.config),
            tokens=tokens,
            registration=registration,
            metadata=_json(context.oauth_metadata),
            resource=_json(context.protected_resource_metadata),
            authority=context.auth_server_url,
        )
        await self._keep(self.grant)


class _Run:
    """One run of the SDK's flow, as far as it goes until the server would be asked again."""

    def __init__(self, storage: _Storage, challenge: Challenge | None) -> None:
        self._storage = storage
        self._challenge = challenge
        self._context = storage.provider.context
        self._said = ""

    async def done(self) -> None:
        server = self._storage.config.url or ""
        request = httpx2.Request("POST", server, headers={"MCP-Protocol-Version": MODERN})
        try:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as web,
                aclosing(self._storage.provider.async_auth_flow(request)) as flow,
            ):
                await self._driven(flow, request, web)
        except (OAuthFlowError, ValueError, httpx2.InvalidURL) as error:
            raise Refused(self._said or str(error)[:SAID_CHARS_MAX]) from error
        if self._context.current_tokens is None:
            raise Refused(self._said or "there was no token")

    async def _driven(
        self, flow: AsyncGenerator[httpx2.Request, httpx2.Response], request: httpx2.Request,
        web: aiohttp.ClientSession,
    ) -> None:  # fmt: skip
        challenge = self._challenge
        outgoing = await anext(flow)
        for _ in range(REQUESTS_MAX):
            if outgoing is not request:
                response = await sent(web, self._checked(outgoing), str(request.url))
                await self._heard(response)
            elif challenge is None:
                return
            else:
                scope = None if challenge.more else self._storage.oauth.scope
                header = {"WWW-Authenticate": challenge.header(scope)}
                response = httpx2.Response(challenge.status, headers=header, request=request)
                challenge = None
            outgoing = await flow.asend(response)
        raise Refused("the authorization server leads nowhere")

    def _checked(self, outgoing: httpx2.Request) -> httpx2.Request:
        if outgoing.method == "POST":
            check_issuer(self._storage.oauth, self._context)
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


def check_issuer(oauth: OAuth, context: OAuthContext) -> None:
    """See that the hub is led where the config says, if it says anything.

    Raises:
        Refused: it is not.
    """
    found = None if context.oauth_metadata is None else str(context.oauth_metadata.issuer)
    if oauth.issuer is not None and (found is None or not issuers_match(found, oauth.issuer)):
        raise Refused("the server has another authorization server than the config", found=found)


def _provider(config: McpServer, storage: _Storage, visit: Visit | None) -> OAuthClientProvider:
    oauth = storage.oauth
    redirect_url = "http://127.0.0.1/" if visit is None else visit.redirect_url
    if oauth.metadata_url is not None and not is_valid_client_metadata_url(oauth.metadata_url):
        field = {"field": "config.oauth.metadataUrl", "expected": "https://HOST/PATH"}
        raise Invalid("the config does not fit", errors=[field])

    async def sent_to(url: str) -> None:
        context = storage.provider.context
        check_issuer(oauth, context)
        if context.client_info is not None and oauth.client_id is not None:
            storage.fitted(context.client_info)
        assert visit is not None
        await visit.sent(url)

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


def _credentialed(config: McpServer, oauth: OAuth, storage: _Storage) -> OAuthClientProvider:
    return ClientCredentialsOAuthProvider(
        server_url=config.url or "",
        storage=storage,
        client_id=oauth.client_id or "",
        client_secret=oauth.client_secret or "",
        scope=oauth.scope,
        issuer=oauth.issuer,
    )


def _configured(oauth: OAuth, wanted: OAuthClientMetadata) -> OAuthClientInformationFull:
    assert oauth.client_id is not None
    return OAuthClientInformationFull(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        token_endpoint_auth_method="client_secret_basic" if oauth.client_secret else "none",
        redirect_uris=wanted.redirect_uris,
        issuer=oauth.issuer,
    )


def _registered(grant: Grant, redirect_url: str | None) -> OAuthClientInformationFull | None:
    """As which the hub has registered itself, if that is still good."""
    if grant.registration is None:
        return None
    if redirect_url is not None and redirect_url not in grant.registration["redirect_uris"]:
        return None
    client = OAuthClientInformationFull.model_validate(grant.registration)
    expires = client.client_secret_expires_at
    return None if expires and expires <= time.time() else client


def _shown(tokens: Tokens, refresh: str | None) -> OAuthToken:
    return OAuthToken(access_token=tokens.access, refresh_token=refresh, scope=tokens.scope)


def _json(model: BaseModel | None) -> dict[str, Any] | None:
    return None if model is None else model.model_dump(mode="json", exclude_none=True)
