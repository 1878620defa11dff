"""A server that knows one era only, as most servers do."""

import json
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, METHOD_NOT_FOUND
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ERAS = ("legacy", "modern", "both")
UNSUPPORTED_VERSION = -32022


class Gate:
    """Turns away, before HTTP knows of MCP, whoever speaks of the other era."""

    def __init__(self, app: ASGIApp, era: str) -> None:
        self._app = app
        self._era = era

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # uvicorn leaves the blanks behind a value, which are no part of it.
        scope["headers"] = [(name, value.strip()) for name, value in scope["headers"]]
        if self._era == "both":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        version = request.headers.get("mcp-protocol-version", "")
        modern = version in MODERN_PROTOCOL_VERSIONS
        if modern == (self._era == "modern"):
            await self._app(scope, receive, send)
            return
        await JSONResponse(await _refusal(request, version, self._era), 400)(scope, receive, send)


async def _refusal(request: Request, version: str, era: str) -> dict[str, Any]:
    if era == "legacy":
        # As servers of that era put it: to them the header is the mistake.
        message = f"Bad Request: Unsupported protocol version: {version}"
        return _error("server-error", INVALID_REQUEST, message)
    body = json.loads(await request.body() or b"{}")
    data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": version}
    return _error(body.get("id"), UNSUPPORTED_VERSION, "Unsupported protocol version", data)


def _error(id: object, code: int, message: str, data: object = None) -> dict[str, Any]:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": id, "error": error}


def gatekeeper(era: str) -> ServerMiddleware[Any]:
    """The same where there is no HTTP."""

    async def guard(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        if era == "legacy" and modern:
            raise MCPError(METHOD_NOT_FOUND, "Method not found")
        if era == "modern" and not modern:
            data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": ctx.protocol_version}
            raise MCPError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
        return await call_next(ctx)

    return guard
