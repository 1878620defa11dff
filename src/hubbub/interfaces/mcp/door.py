"""The endpoint `/mcp`: streamable HTTP of both eras, without a session to keep.

A client that shakes hands is given a session id, by which nothing but a cancellation is told apart;
so a hub that was restarted, or another node, serves it just as well.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hubbub.calls.model import Call
from hubbub.calls.router import Router
from hubbub.interfaces.entrance import Entrance, unless_left
from hubbub.interfaces.errors import error_body, error_response
from hubbub.interfaces.mcp import rpc
from hubbub.interfaces.mcp.rpc import Message
from hubbub.interfaces.mcp.tools import INSTRUCTIONS, SCHEMAS, Tools, Use
from hubbub.interfaces.streams import EVENTS, EventStream, event
from hubbub.kernel.errors import HubError, Unauthenticated
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import Progressed
from hubbub.protocol.mcp import (
    HANDSHAKE,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MODERN,
    RequestId,
    RpcError,
)

JSON: Final = "application/json"
SESSION: Final = "mcp-session-id"
METADATA: Final = "/.well-known/oauth-protected-resource"
CAPABILITIES: Final = {"tools": {"listChanged": False}}
# What stands behind the tools changes, and with it what find_tool says of itself.
CACHED: Final = {"ttlMs": 60_000, "cacheScope": "private"}

Running = dict[tuple[str, str, RequestId], Call]


class McpDoor:
    """Lets agents in."""

    def __init__(self, *, entrance: Entrance, router: Router) -> None:
        self._entrance = entrance
        self._router = router
        self._tools = Tools(entrance, router.offers)
        self._running: Running = {}  # by account, session and request, for cancelling

    async def handle(self, request: Request) -> Response:
        """One message. `GET` and `DELETE` are for sessions, of which there are none."""
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST"})
        try:
            caller, body = await self._entrance.received(request)
            message = rpc.parsed(body)
        except Unauthenticated as error:
            return _challenge(request, error)
        except HubError as error:
            return error_response(error)
        except RpcError as error:
            return _json(rpc.failure(None, error), rpc.HTTP_STATUS[error.code])
        except ClientDisconnect:
            return Response(status_code=499)
        return await self._taken(request, message, caller)

    async def protected_resource(self, request: Request) -> Response:
        """Where a client that was turned away learns what to show (RFC 9728)."""
        resource = str(request.base_url).rstrip("/") + "/mcp"
        return _json({"resource": resource, "bearer_methods_supported": ["header"]})

    async def _taken(self, request: Request, message: Message, caller: Caller) -> Response:
        if not isinstance(message.id, str | int):
            self._noted(request, message, caller)
            return Response(status_code=202)
        try:
            if message.modern:
                rpc.check_modern(message, request.headers)
            if message.method == "tools/call":
                return await self._called(request, message, caller)
            answer = self._answer(message, caller)
        except RpcError as error:
            status = rpc.HTTP_STATUS.get(error.code, 200) if message.modern else 200
            return _json(rpc.failure(message.id, error), status)
        headers = {SESSION: uuid4().hex} if message.method == "initialize" else {}
        return _json(rpc.result(message, answer), headers=headers)

    def _answer(self, message: Message, caller: Caller) -> dict[str, object]:
        """What can be said at once."""
        cached = CACHED if message.modern else {}
        match message.method:
            case "initialize" if not message.modern:
                return _greeting(message)
            case "server/discover":
                return {
                    "supportedVersions": [MODERN],
                    "capabilities": CAPABILITIES,
                    "serverInfo": rpc.SERVER,
                    "instructions": INSTRUCTIONS,
                    **CACHED,
                }
            case "ping" if not message.modern:
                return {}
            case "tools/list":
                return {"tools": self._tools.listed(caller), **cached}
            case _:
                raise RpcError(METHOD_NOT_FOUND, f"there is no method {message.method}")

    def _noted(self, request: Request, message: Message, caller: Caller) -> None:
        """A notification. Only a cancellation means anything here."""
        if message.method != "notifications/cancelled":
            return
        session, id = request.headers.get(SESSION), message.params.get("requestId")
        if session is not None and isinstance(id, str | int):
            call = self._running.get((caller.account_id, session, id))
            if call is not None:
                self._router.abort(call)

    async def _called(self, request: Request, message: Message, caller: Caller) -> Response:
        name, arguments = message.params.get("name"), message.params.get("arguments") or {}
        if not isinstance(name, str) or name not in SCHEMAS:
            raise RpcError(INVALID_PARAMS, f"there is no tool {name}")
        if not isinstance(arguments, dict):
            raise RpcError(INVALID_PARAMS, "the arguments of a tool are an object")
        session = request.headers.get(SESSION)
        answers = self._answers(message, caller, session)
        if message.progress_token is not None and EVENTS in request.headers.get("accept", ""):
            return EventStream(_events(answers))
        return await unless_left(request, _last(answers))

    async def _answers(
        self, message: Message, caller: Caller, session: str | None
    ) -> AsyncGenerator[dict[str, object]]:
        """What `tools/call` is answered with: progress as it comes, and the result last."""
        assert isinstance(message.id, str | int)
        # Without a session others may use the same id, and nobody can cancel.
        key = None if session is None else (caller.account_id, session, message.id)

        def began(call: Call) -> None:
            if key is not None:
                self._running[key] = call

        arguments = message.params.get("arguments") or {}
        use = Use(caller=caller, arguments=arguments, began=began)
        try:
            async with aclosing(self._tools.use(message.params["name"], use)) as told:
                async for each in told:
                    if isinstance(each, Progressed):
                        yield rpc.progress(message, each)
                    else:
                        yield rpc.result(message, each)
        finally:
            if key is not None:
                self._running.pop(key, None)


async def _last(answers: AsyncGenerator[dict[str, object]]) -> Response:
    """The result alone."""
    last: dict[str, object] = {}
    async with aclosing(answers):
        async for each in answers:
            last = each
    return _json(last)


async def _events(answers: AsyncGenerator[dict[str, object]]) -> AsyncGenerator[bytes]:
    async with aclosing(answers):
        async for answer in answers:
            yield event("message", encode(answer))


def _greeting(message: Message) -> dict[str, object]:
    wanted = message.params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in HANDSHAKE else HANDSHAKE[-1],
        "capabilities": CAPABILITIES,
        "serverInfo": rpc.SERVER,
        "instructions": INSTRUCTIONS,
    }


def _challenge(request: Request, error: HubError) -> Response:
    metadata = str(request.base_url).rstrip("/") + METADATA
    headers = {"WWW-Authenticate": f'Bearer resource_metadata="{metadata}"'}
    return _json(error_body(error), 401, headers)


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(value), status, headers, JSON)
