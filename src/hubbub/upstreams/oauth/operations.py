"""Having the hub authorized at a server, for callers."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound, Unavailable
from hubbub.operations.context import Context
from hubbub.operations.inputs import Input
from hubbub.operations.operation import operation
from hubbub.services import access
from hubbub.services.model import McpServer
from hubbub.services.secrets import Secrets
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.oauth.authorizations import VISIT_S, Authorizations, Visiting
from hubbub.upstreams.oauth.places import on_this_machine

CALLBACK: Final = "/oauth/callback"


class AuthorizationAsk(Input, frozen=True, kw_only=True):
    id: str
    """The id or the name of a client."""
    redirect_url: str | None = None
    """The hub's own `/oauth/callback` as your browser reaches it, where the hub cannot know."""


class AuthorizationBegun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where to agree that the hub uses a server."""

    url: str
    """To be opened in a browser."""
    expires_at: datetime


class AuthorizationOperations:
    """Who lets the hub in."""

    namespace = "client"

    def __init__(self, authorizations: Authorizations, secrets: Secrets) -> None:
        self._authorizations = authorizations
        self._secrets = secrets

    # Whoever knows the URL can take the place of whoever asked for it.
    @operation(
        scope="clients:write",
        sensitive=True,
        errors={
            NotFound: "there is no such client, or none that you may see",
            AccessDenied: "the client is somebody else's",
            Conflict: "it is not one that somebody can be asked for",
            Unavailable: "its server cannot be asked where to agree, or says what cannot be",
        },
    )
    async def authorize(self, ctx: Context, ask: AuthorizationAsk) -> AuthorizationBegun:
        """Have the hub authorized at an MCP server that asks for OAuth: open the URL, and agree.

        The hub keeps what it is given there, encrypted, and uses it for everybody who may call the
        client's operations.
        """
        async with ctx.database.reading() as tx:
            client = await access.changeable(tx, ctx.caller, ask.id)
        config = await self._secrets.resolved(client)
        authorization = None
        if isinstance(config, McpServer):
            authorization = self._authorizations.of(client, config)
        if authorization is None:
            raise Conflict("nobody can be asked for this client", client=client.id)
        oauth = authorization.config.oauth
        if oauth is not None and oauth.grant == "client-credentials":
            raise Conflict("this client has credentials of its own", client=client.id)
        configured = None if oauth is None else oauth.redirect_url
        redirect_url = configured or ask.redirect_url or self._authorizations.redirect_url
        by = ctx.caller.account_id
        visit = Visiting(client=client, by=by, redirect_url=_checked(redirect_url))
        url = await self._authorizations.begun(client, authorization, visit)

        async def work(tx: WriteTransaction) -> None:
            details = {"client": client.id, "name": client.name}
            await note(ctx.writing(tx), "client.authorizing", **details)

        await ctx.database.write(work)
        return AuthorizationBegun(url=url, expires_at=ctx.now + timedelta(seconds=VISIT_S))


def _checked(redirect_url: str | None) -> str:
    """Where a person is sent back to.

    Raises:
        Invalid: it is not known, or what is sent there could be read on the way.
    """
    parts = urlsplit(redirect_url or "")
    safe = parts.scheme == "https" or (parts.scheme == "http" and on_this_machine(parts.hostname))
    if redirect_url is None or not safe or not parts.path.endswith(CALLBACK) or parts.query:
        expected = f"https://HUB{CALLBACK}, or http:// on this machine"
        raise Invalid(
            "a browser cannot be sent back there",
            errors=[{"field": "redirectUrl", "expected": expected}],
        )
    return redirect_url
