"""The endpoint `/mcp`: streamable HTTP of both eras, without a session to keep.

A client that shakes hands is given a session id, by which nothing but a cancellation is told apart;
so a hub that was restarted, or another node, serves it just as well.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from hubbub.calls.model import Call
from hubbub.calls.waiting import Calls
from hubbub.interfaces.errors import error_body, error_response
from hubbub.interfaces.http import HttpDoor, body_of
from hubbub.interfaces.mcp import rpc
from hubbub.interfaces.mcp.rpc import Message, RpcError
from hubbub.interfaces.mcp.tools import INSTRUCTIONS, SCHEMAS, Tools, Use
from hubbub.kernel.errors import HubError, Unauthenticated
from hubbub.kernel.groups import ungrouped
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import Progressed

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
SESSION: Final = "mcp-session-id"
METADATA: Final = "/.well-known/oauth-protected-resource"
CAPABILITIES: Final = {"tools": {"listChanged": False}}
# What stands behind the tools changes, and with it what find_tool says of itself.
CACHED: Final = {"ttlMs": 60_000, "cacheScope": "private"}

Running = dict[tuple[str, str, rpc.RequestId], Call]


class McpDoor:
    """Lets agents in."""

    def __init__(self, *, calls: Calls, http: HttpDoor) -> None:
        self._router = calls.router
        self._http = http
        self._tools = Tools(calls)
        self._running: Running = {}  # by account, session and request, for cancelling

    async def handle(self, request: Request) -> Response:
        """One message. `GET` and `DELETE` are for sessions, of which there are none."""
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST"})
        try:
            caller = await self._http.enter(request)
            message = rpc.parsed(await body_of(request))
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
                    "supportedVersions": [rpc.MODERN],
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
                raise RpcError(rpc.METHOD_NOT_FOUND, f"there is no method {message.method}")

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
            raise RpcError(rpc.INVALID_PARAMS, f"there is no tool {name}")
        if not isinstance(arguments, dict):
            raise RpcError(rpc.INVALID_PARAMS, "the arguments of a tool are an object")
        if message.progress_token is not None and EVENTS in request.headers.get("accept", ""):
            events = self._events(request, message, caller)
            return StreamingResponse(events, media_type=EVENTS, headers={"X-Accel-Buffering": "no"})
        return _json(await self._used(request, message, caller, lambda progress: None))

    async def _used(
        self, request: Request, message: Message, caller: Caller, progress: Any
    ) -> dict[str, object]:
        """The answer to `tools/call`. Its calls end when its client goes or cancels."""
        session = request.headers.get(SESSION, "")
        assert isinstance(message.id, str | int)
        key = (caller.account_id, session, message.id)

        def began(call: Call) -> None:
            self._running[key] = call

        use = Use(
            caller=caller,
            arguments=message.params.get("arguments") or {},
            began=began,
            progress=progress,
        )
        try:
            with ungrouped():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._abort_if_left, request, key)
                    used = await self._tools.use(message.params["name"], use)
                    tasks.cancel_scope.cancel()
            return rpc.result(message, used)
        finally:
            self._running.pop(key, None)

    async def _abort_if_left(self, request: Request, key: tuple[str, str, rpc.RequestId]) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        call = self._running.get(key)
        if call is not None:
            self._router.abort(call)

    async def _events(
        self, request: Request, message: Message, caller: Caller
    ) -> AsyncIterator[bytes]:
        """Progress as it comes, and the answer last."""
        token = message.progress_token
        events: asyncio.Queue[dict[str, object] | None] = asyncio.Queue(1000)

        def progress(told: Progressed) -> None:
            params: dict[str, object] = {"progressToken": token, "progress": told.progress}
            if told.total is not None:
                params["total"] = told.total
            if told.message:
                params["message"] = told.message
            if not events.full():  # progress may be missed, the answer may not
                events.put_nowait(rpc.notification("notifications/progress", params))

        async def work() -> None:
            answer = await self._used(request, message, caller, progress)
            await events.put(answer)
            await events.put(None)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            while (event := await events.get()) is not None:
                yield b"event: message\ndata: " + encode(event) + b"\n\n"


def _greeting(message: Message) -> dict[str, object]:
    wanted = message.params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in rpc.HANDSHAKE else rpc.HANDSHAKE[-1],
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
