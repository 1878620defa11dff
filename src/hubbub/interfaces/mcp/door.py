"""The endpoints `/mcp`, `/mcp/all` and `/mcp/profiles/{name}`: streamable HTTP of both eras.

Requests of the newer revision stand alone. A client of an older one shakes hands and is given a
session, by which it hears of changes and is asked questions; without one it is served all the same,
as far as that goes.
"""

from typing import Final

from msgspec import Raw, UnsetType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hubbub.calls.router import Router
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.errors import error_body, error_response
from hubbub.interfaces.mcp import rpc
from hubbub.interfaces.mcp.asking import Asking, Calling
from hubbub.interfaces.mcp.exchange import JSON, Exchange, Reply
from hubbub.interfaces.mcp.features import Features
from hubbub.interfaces.mcp.listening import Listening
from hubbub.interfaces.mcp.methods import SESSION, Methods
from hubbub.interfaces.mcp.parking import Parking
from hubbub.interfaces.mcp.sessions import Session, Sessions
from hubbub.interfaces.mcp.tasks import Tasks
from hubbub.interfaces.mcp.tools import Tools
from hubbub.interfaces.mcp.views import View, Views
from hubbub.interfaces.streams import EVENTS
from hubbub.kernel.errors import HubError, NotFound, Unauthenticated
from hubbub.kernel.events import Bus
from hubbub.operations.context import Caller
from hubbub.profiles.model import DEFAULT
from hubbub.profiles.shelf import Shelf
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import HANDSHAKE, HEADER_MISMATCH, INVALID_REQUEST, RequestId, RpcError

METADATA: Final = "/.well-known/oauth-protected-resource"
ALL: Final = "/mcp/all"
PATHS: Final = ("/mcp", ALL, "/mcp/profiles/{name}")
NO_SESSION: Final = "there is no such session: shake hands again"


class McpDoor:
    """Lets agents in."""

    def __init__(
        self, *, entrance: Entrance, router: Router, bus: Bus, shelf: Shelf, views: Views
    ) -> None:
        self._entrance = entrance
        self._shelf = shelf
        self.parking = Parking(entrance)
        self.tasks = Tasks(entrance)
        calling = Calling(entrance, self.parking, self.tasks)
        self.sessions = Sessions(lambda session: self._methods.forgotten(session))
        self.listening = Listening(bus, router.offers, views)
        self._methods = Methods(
            entrance=entrance,
            views=views,
            tools=Tools(views, router.offers, calling, self.tasks),
            features=Features(views, calling, self.tasks),
            listening=self.listening,
            sessions=self.sessions,
        )
        bus.listen(KeyChanged, self._key_changed)

    async def handle(self, request: Request) -> Response:
        """A message, the wish to hear, or the end of a session."""
        try:
            match request.method:
                case "POST":
                    caller, body = await self._entrance.received(request)
                    return await self._taken(request, caller, body)
                case "GET":
                    return await self._heard(request, await self._entrance.enter(request))
                case _:
                    return await self._ended(request, await self._entrance.enter(request))
        except Unauthenticated as error:
            return _challenge(request, error)
        except HubError as error:
            return error_response(error)
        except RpcError as error:
            return _failure(None, error, rpc.HTTP_STATUS.get(error.code, 400))
        except ClientDisconnect:
            return Response(status_code=499)

    def goodbye(self) -> None:
        """The hub leaves: streams end, and calls that wait for somebody to come back."""
        self.parking.clear()
        self.tasks.clear()
        self.listening.goodbye()

    async def protected_resource(self, request: Request) -> Response:
        """Where a client that was turned away learns what to show (RFC 9728)."""
        path = request.url.path.removeprefix(METADATA) or "/mcp"
        resource = str(request.base_url).rstrip("/") + path
        return _json({"resource": resource, "bearer_methods_supported": ["header"]})

    async def _taken(self, request: Request, caller: Caller, body: bytes) -> Response:
        message = rpc.parsed(body)
        view = await self._view(request)
        session = self._session(request, caller, view)
        if isinstance(message.method, UnsetType):
            return _answered(message, session, request)
        asked = rpc.request_of(message, request.headers)
        unknown = session is None and SESSION in request.headers
        if unknown and not asked.modern and asked.method != "initialize":
            return _failure(asked.id, RpcError(INVALID_REQUEST, NO_SESSION), 404)
        if asked.id is None:
            _noted(asked, session)
            return Response(status_code=202)
        try:
            if asked.modern:
                _check_once(request)
                rpc.check_modern(asked, request.headers)
        except RpcError as error:
            return _failure(asked.id, error, rpc.HTTP_STATUS[error.code])
        session = None if asked.modern else session
        return self._exchange(request, asked, caller, view, session)

    def _exchange(
        self,
        request: Request,
        asked: rpc.Request,
        caller: Caller,
        view: View,
        session: Session | None,
    ) -> Response:
        async def work(exchange: Exchange) -> Reply:
            asking = Asking(
                request=asked, caller=caller, view=view, exchange=exchange, session=session
            )
            asking.begin()
            try:
                return await self._methods.reply(asking)
            finally:
                asking.end()

        return Exchange(work, request.headers, streams=_takes_events(request))

    async def _heard(self, request: Request, caller: Caller) -> Response:
        view = await self._view(request)
        if SESSION not in request.headers or not _takes_events(request):
            return Response(status_code=405, headers={"Allow": "POST"})
        session = self._session(request, caller, view)
        if session is None:
            return _failure(None, RpcError(INVALID_REQUEST, NO_SESSION), 404)
        nothing = rpc.Request(id=None, method="", params=Raw(b"{}"), meta={}, modern=False)

        async def work(exchange: Exchange) -> Reply:
            asking = Asking(
                request=nothing, caller=caller, view=view, exchange=exchange, session=session
            )
            return await self._methods.heard(asking, session)

        return Exchange(work, request.headers, streams=True)

    async def _ended(self, request: Request, caller: Caller) -> Response:
        session = self._session(request, caller, await self._view(request))
        if SESSION not in request.headers:
            return Response(status_code=405, headers={"Allow": "POST"})
        if session is None:
            return _failure(None, RpcError(INVALID_REQUEST, NO_SESSION), 404)
        self.sessions.close(session)
        return Response(status_code=204)

    async def _view(self, request: Request) -> View:
        path = request.url.path
        if path == ALL:
            return View(path=path, searching=False)
        name = request.path_params.get("name")
        profile = await self._shelf.named(name or DEFAULT)
        if name is None:
            return View(path=path, searching=True, profile=profile, chosen_by=DEFAULT)
        if profile is None:
            raise NotFound(f"no profile {name}", profile=name)
        return View(path=path, searching=profile.mode == "search", profile=profile, chosen_by=name)

    def _session(self, request: Request, caller: Caller, view: View) -> Session | None:
        id = request.headers.get(SESSION)
        return None if id is None else self.sessions.get(id, caller.account_id, view.path)

    def _key_changed(self, changed: KeyChanged) -> None:
        self.sessions.leave(changed)
        self.listening.leave(changed)


def _answered(message: rpc.Message, session: Session | None, request: Request) -> Response:
    """A client's answer to a question of the hub's."""
    version = request.headers.get(rpc.VERSION_HEADER)
    if version is not None and version not in HANDSHAKE:
        raise RpcError(INVALID_REQUEST, "in this revision clients send no responses")
    if isinstance(message.id, UnsetType):
        raise RpcError(INVALID_REQUEST, "a response has an id")
    if session is None:
        return _failure(None, RpcError(INVALID_REQUEST, NO_SESSION), 404)
    session.answered(message.id, rpc.answer_of(message))
    return Response(status_code=202)


def _check_once(request: Request) -> None:
    """Who reads the first of two headers and who reads the last must not be told two things."""
    for name in (rpc.VERSION_HEADER, "mcp-method", "mcp-name"):
        if len(request.headers.getlist(name)) > 1:
            raise RpcError(HEADER_MISMATCH, f"the header {name} stands more than once")


def _noted(asked: rpc.Request, session: Session | None) -> None:
    """A notification. Only a cancellation means anything here."""
    if asked.method != "notifications/cancelled" or session is None or session.running is None:
        return
    stop = session.running.get(rpc.cancelled(asked))
    if stop is not None:
        stop()


def _takes_events(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return EVENTS in accept or "*/*" in accept


def _challenge(request: Request, error: HubError) -> Response:
    metadata = str(request.base_url).rstrip("/") + METADATA + request.url.path
    headers = {"WWW-Authenticate": f'Bearer resource_metadata="{metadata}"'}
    return _json(error_body(error), 401, headers)


def _failure(id: RequestId | None, error: RpcError, status: int) -> Response:
    return Response(rpc.failure(id, error), status, None, JSON)


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(value), status, headers, JSON)
