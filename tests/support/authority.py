"""An MCP server that lets nobody in without a token, and the authorization server that gives them.

Both are the SDK's, in this process, so that a test sees and decides what becomes of tokens.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.mcpserver.eras import Gate

HOST = "127.0.0.1"


class Authority:
    """Everybody who asks agrees. What it gives, it can take back."""

    def __init__(self, url: str, path: str) -> None:
        self.url = url
        self.server = f"{url}{path}"
        """What it gives tokens for."""
        self.life_s: int | None = 3600
        self.refreshes = True
        """Whether tokens come with another that renews them."""
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.renewals = 0
        self.busy = asyncio.Event()
        """Cleared, it renews nothing until it is set."""
        self.busy.set()
        self.down = False
        """Whether it gives no tokens, because it cannot."""
        self.bound: dict[str, str] | None = None
        """By session the only token that is good for it, if sessions are bound to tokens."""
        self.seen: list[str] = []
        """The tokens with which its tool was called."""

    def expire(self) -> None:
        """No token that was given out is good any more, but those that renew are."""
        self.access.clear()

    def revoke(self) -> None:
        self.access.clear()
        self.refresh.clear()

    @property
    def secrets(self) -> set[str]:
        kept = [client.client_secret for client in self.clients.values()]
        return {*self.access, *self.refresh, *self.seen, *filter(None, kept)}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        code = secrets.token_urlsafe(24)
        self.codes[code] = AuthorizationCode(
            code=code,
            client_id=client.client_id,
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        assert authorization_code.resource == self.server
        return self._given(client.client_id, authorization_code.scopes)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        await self.busy.wait()
        # It is good once, as those who follow the advice of the standards have it.
        if self.refresh.pop(refresh_token.token, None) is None:
            raise TokenError("invalid_grant")
        self.renewals += 1
        return self._given(client.client_id, scopes)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        raise NotImplementedError

    async def exchange_identity_assertion(self, client: Any, params: Any) -> OAuthToken:
        raise NotImplementedError

    def _given(self, client_id: str, scopes: list[str]) -> OAuthToken:
        access, refresh = f"access-{secrets.token_hex(16)}", f"refresh-{secrets.token_hex(16)}"
        self.access[access] = AccessToken(token=access, client_id=client_id, scopes=scopes)
        if self.refreshes:
            self.refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes)
        return OAuthToken(
            access_token=access,
            expires_in=self.life_s,
            refresh_token=refresh if self.refreshes else None,
            scope=" ".join(scopes),
        )


@asynccontextmanager
async def guarded_server(era: str = "both") -> AsyncIterator[Authority]:
    """A server at `authority.server`, with one tool."""
    with socket.create_server((HOST, 0)) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        authority = Authority(url, "/sse" if era == "sse" else "/mcp")
        made = _server(authority)
        app = made.sse_app() if era == "sse" else made.streamable_http_app()
        app = _Entry(app, authority, "both" if era == "sse" else era)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield authority
        finally:
            server.should_exit = server.force_exit = True
            await serving


class _Entry:
    """Turns away who is of another era, or comes to a session with another token than before."""

    def __init__(self, app: ASGIApp, authority: Authority, era: str) -> None:
        self._app = app
        self._gate = Gate(app, era)
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        session, token = headers.get("mcp-session-id"), headers.get("authorization", "")
        if self._authority.down and scope.get("path") == "/token":
            await Response(status_code=503)(scope, receive, send)
            return
        bound = self._authority.bound
        if bound is None or session is None or bound.setdefault(session, token) == token:
            here = scope.get("path") == "/mcp"
            await (self._gate if here else self._app)(scope, receive, send)
            return
        refused = Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        await refused(scope, receive, send)


def _server(authority: Authority) -> MCPServer:
    server = MCPServer(
        "guarded",
        auth_server_provider=authority,
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(authority.url),
            resource_server_url=AnyHttpUrl(authority.server),
            required_scopes=["use"],
            validate_token_resource=False,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=["use"], default_scopes=["use"]
            ),
        ),
    )

    @server.tool()
    async def hello() -> str:
        """Say hello."""
        token = get_access_token()
        assert token is not None
        authority.seen.append(token.token)
        return "hello"

    return server
