"""How callers log the hub in at what it dials."""

from typing import Annotated

import msgspec

from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound, Unavailable
from hubbub.operations.context import Context
from hubbub.operations.inputs import Input
from hubbub.operations.operation import operation
from hubbub.services import access
from hubbub.upstreams.oauth.logins import Logins

Uri = Annotated[str, msgspec.Meta(pattern=r"^https?://\S+$", max_length=2_000)]


class LoginRequest(Input, frozen=True, kw_only=True):
    client: str
    """Its id or its name."""
    redirect_uri: Uri = "http://127.0.0.1/callback"
    """Where the browser is sent in the end. Nobody has to be there: only the address counts."""


class LoginEnd(Input, frozen=True, kw_only=True):
    redirected: Annotated[str, msgspec.Meta(max_length=16_384)]
    """The address to which the browser was sent, with all that is in it."""


class LoginBegun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a person logs the hub in."""

    url: str
    scopes: tuple[str, ...]
    """What is asked for."""


class LoggedIn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The client at which the hub is logged in now."""

    id: str
    name: str


class LoginOperations:
    """The logins of the hub at what it dials."""

    namespace = "client"

    def __init__(self, logins: Logins) -> None:
        self._logins = logins

    @operation(
        scope="clients:write",
        errors={
            NotFound: "there is no such client, or none that you may see",
            AccessDenied: "the client is somebody else's",
            Conflict: "no login helps there",
            Unavailable: "who lets in cannot be found out",
        },
    )
    async def authorize(self, ctx: Context, request: LoginRequest) -> LoginBegun:
        """Begin a login at a server that asks for one. Open the URL in a browser, and give the
        address to which it is sent in the end to client.authorized."""
        async with ctx.database.reading() as tx:
            client = await access.changeable(tx, ctx.caller, request.client)
        begun = await self._logins.begin(client, request.redirect_uri)
        return LoginBegun(url=begun.url, scopes=begun.scopes)

    @operation(
        scope="clients:write",
        sensitive=True,
        errors={
            NotFound: "no login waits for this",
            AccessDenied: "the client is somebody else's",
            Invalid: "that is no answer to what was asked",
            Unavailable: "the authorization server refuses",
        },
    )
    async def authorized(self, ctx: Context, end: LoginEnd) -> LoggedIn:
        """End a login with the address to which the browser was sent."""
        client = await self._logins.finish(ctx, end.redirected)
        return LoggedIn(id=client.id, name=client.name)
