"""What the SDK is told of earlier runs of its flow, and what is kept of this one."""

import time
from typing import Any

import msgspec
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import BaseModel

from hubbub.services.model import McpServer, OAuth
from hubbub.upstreams.oauth.grant import Grant, Tokens, lasting, purpose
from hubbub.upstreams.oauth.visit import Keep


class Storage:
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
        """Who the hub is."""
        context = self.provider.context
        if self.tokens is not None:
            _remind(context, self.grant)
            if self.tokens.refresh_token is not None:
                context.token_expiry_time = 1.0  # long past, so that it is renewed
        if self.oauth.client_id is not None:
            return self.fitted(_configured(self.oauth, context.client_metadata))
        return _registered(self.grant, self.redirect_url)

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


def _remind(context: OAuthContext, grant: Grant) -> None:
    """Tell the SDK who gave the tokens. It looks for that only where there are none, and would
    otherwise have them renewed by the server itself."""
    context.auth_server_url = grant.authority
    if grant.metadata is not None:
        context.oauth_metadata = OAuthMetadata.model_validate(grant.metadata)
    if grant.resource is not None:
        resource = ProtectedResourceMetadata.model_validate(grant.resource)
        context.protected_resource_metadata = resource


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
    known = grant.registration.get("redirect_uris", ())
    if redirect_url is not None and redirect_url not in known:
        return None
    client = OAuthClientInformationFull.model_validate(grant.registration)
    expires = client.client_secret_expires_at
    return None if expires and expires <= time.time() else client


def _json(model: BaseModel | None) -> dict[str, Any] | None:
    return None if model is None else model.model_dump(mode="json", exclude_none=True)
