"""The web application: where each way in stands."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from hubbub import __version__
from hubbub.calls.recorder import CallGraph
from hubbub.calls.router import Router
from hubbub.interfaces.callback import Callback
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.errors import error_response
from hubbub.interfaces.guard import Guard, Guarded
from hubbub.interfaces.http import HttpDoor
from hubbub.interfaces.mcp.door import METADATA, PATHS, McpDoor
from hubbub.interfaces.metrics import Metrics, exposition
from hubbub.interfaces.openapi import document
from hubbub.interfaces.registry import RegistryDoor
from hubbub.interfaces.websocket import WebSocketDoor
from hubbub.kernel.errors import AccessDenied, ExecutionFailed, HubError, Invalid, NotFound
from hubbub.operations.access import allowed
from hubbub.operations.operation import Operation
from hubbub.protocol.codec import encode
from hubbub.spokes.presence import Presence
from hubbub.storage.database import Database
from hubbub.upstreams.oauth.authorizations import Authorizations
from hubbub.upstreams.oauth.operations import CALLBACK

SWAGGER: Final = Path(__file__).parent / "swagger"
DOCS: Final = Path(__file__).parent / "docs.html"

HEALTH_S: Final = 2.0
"""A database that takes longer to say how it is, is not ready."""

# The page takes nothing from elsewhere, and nothing from elsewhere can ask it for the key.
DOCS_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the pages show and the ways in lead to."""

    entrance: Entrance
    http: HttpDoor
    registry: RegistryDoor
    mcp: McpDoor
    sockets: WebSocketDoor
    router: Router
    graph: CallGraph
    presence: Presence
    authorizations: Authorizations
    database: Database
    metrics: Metrics
    operations: Sequence[Operation]


def web(parts: Parts, guard: Guard, *, private: bool) -> ASGIApp:
    """The ASGI application behind its guard; `private` if strangers can reach it."""
    pages = _Pages(parts, private=private)
    calls = Route("/v1/{namespace}/{name}", parts.http.call)
    callback = Route(CALLBACK, Callback(parts.authorizations).arrived)
    # And not HEAD, which Starlette adds to GET.
    calls.methods, callback.methods = {"GET", "POST"}, {"GET"}
    app = Starlette(
        routes=[
            Route("/", RedirectResponse("/docs")),
            calls,
            *(Route(path, parts.mcp.handle, methods=["GET", "POST", "DELETE"]) for path in PATHS),
            *(Route(f"{METADATA}{path}", parts.mcp.protected_resource) for path in ("", *PATHS)),
            callback,
            *parts.registry.routes(),
            Route("/health", pages.health),
            Route("/ready", pages.ready),
            Route("/metrics", pages.metrics),
            Route("/openapi.json", pages.openapi),
            Route("/docs", pages.docs),
            Mount("/docs/swagger", StaticFiles(directory=SWAGGER)),
        ],
        exception_handlers={404: _missing, 405: _wrong_method, Exception: _broken},
    )
    return Guarded(app, guard)


async def _missing(request: Request, error: Exception) -> Response:
    return error_response(NotFound("there is nothing here", path=request.url.path))


async def _wrong_method(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    expected = allowed.get("Allow", "another method")
    errors = [{"field": "method", "expected": expected, "got": request.method}]
    response = error_response(Invalid("this is not asked for so", errors=errors))
    response.status_code = 405
    response.headers.update(allowed)
    return response


async def _broken(request: Request, error: Exception) -> Response:
    return error_response(ExecutionFailed("the hub failed"))  # the traceback is in its log


class _Pages:
    """What is not an operation: how the hub is, and what it can do."""

    def __init__(self, parts: Parts, *, private: bool) -> None:
        self._parts = parts
        self._private = private  # whether strangers can reach the hub

    async def health(self, request: Request) -> Response:
        """The process answers."""
        return _json({"status": "ok", "version": __version__})

    async def ready(self, request: Request) -> Response:
        """Every part is ready, or which is not."""
        parts = {**await self._database(), "calls": self._calls(), "records": self._records()}
        ready = all(part["ready"] for part in parts.values())
        return _json({"ready": ready, "parts": parts}, 200 if ready else 503)

    async def _database(self) -> dict[str, dict[str, object]]:
        try:
            with anyio.fail_after(HEALTH_S):
                health = await self._parts.database.health()
            # To strangers it does not say where the database is, and as whom it is asked.
            if self._private and not health.ready:
                health = replace(health, detail="the last write failed")
            return {"database": asdict(health)}
        except Exception as error:  # whatever it is, the page must say it
            detail = type(error).__name__ if self._private else f"{type(error).__name__}: {error}"
            return {"database": {"ready": False, "detail": detail}}

    def _calls(self) -> dict[str, object]:
        draining = self._parts.router.draining
        return {"ready": not draining, "detail": "draining" if draining else "taking calls"}

    def _records(self) -> dict[str, object]:
        graph = self._parts.graph
        return {"ready": not graph.behind, "detail": f"{graph.waiting} calls to be written"}

    async def metrics(self, request: Request) -> Response:
        """Numbers for Prometheus."""
        if self._private:
            try:
                caller = await self._parts.entrance.enter(request)
                if not caller.has("calls:read"):
                    raise AccessDenied("these are everybody's calls", required="calls:read")
            except HubError as error:
                return error_response(error)
        router = self._parts.router
        held = router.held()
        gauges = {
            "calls_in_flight": float(held["calls"]),
            "deadlines_set": float(held["deadlines"]),
            "slots_taken": float(held["slots"]),
            "spokes_connected": float(len(self._parts.presence)),
            "connections": float(len(self._parts.sockets.connections)),
            "call_records_waiting": float(self._parts.graph.waiting),
            "mcp_sessions": float(len(self._parts.mcp.sessions)),
            "mcp_listeners": float(len(self._parts.mcp.listening)),
            "mcp_calls_parked": float(len(self._parts.mcp.parking)),
        }
        totals = {
            "calls_rerouted": float(router.counters.rerouted),
            "answers_late": float(router.counters.late),
            "answers_unfit": float(router.counters.unfit),
            "answers_stray": float(router.counters.stray),
            "peers_too_slow": float(self._parts.sockets.slow_peers),
        }
        body = exposition(self._parts.metrics, gauges, totals)
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        """What can be called over HTTP; with a key, what that key may call."""
        specs = [operation.spec for operation in self._parts.operations]
        try:
            caller = await self._parts.entrance.enter(request)
        except HubError:
            pass  # strangers are shown what every hub can do
        else:
            offered = [o.definition.spec for o in self._parts.router.offers.all()]
            specs = [spec for spec in offered if allowed(spec.access_control, caller.identity)]
        return _json(document(sorted(specs, key=lambda spec: spec.id)))

    async def docs(self, request: Request) -> Response:
        """The same for people."""
        return FileResponse(DOCS, headers={"Content-Security-Policy": DOCS_POLICY})


def _json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
