"""A small HTTP API, its document, and a hub's router on the way to it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
import uvicorn
from msgspec import Raw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from hubbub.calls.model import Ask
from hubbub.calls.router import Router
from hubbub.calls.waiting import Calls
from hubbub.catalog.store import Stored
from hubbub.kernel.errors import HubError
from hubbub.kernel.groups import ungrouped
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.services.model import Client
from hubbub.upstreams.openapi.link import HttpApiLink, offers_of
from hubbub.upstreams.openapi.translation import Imported, imported
from tests.support.routing import ADA

PATIENCE_S = 10.0
BIG = 17 * 1024 * 1024


def operation(id: str, *parameters: dict, responses: dict | None = None, **more: Any) -> dict:
    responses = responses or {"200": {"description": "ok", "content": {"application/json": {}}}}
    return {"operationId": id, "parameters": list(parameters), "responses": responses, **more}


def parameter(name: str, location: str = "query", type: str = "string", **more: Any) -> dict:
    return {"name": name, "in": location, "schema": {"type": type}, **more}


def document(paths: dict, **more: Any) -> dict:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Small", "version": "1.2.3"},
        "servers": [{"url": "https://api.example"}],
        "paths": paths,
        **more,
    }


def answers(kind: str) -> dict:
    return {"200": {"description": "ok", "content": {kind: {}}}}


NOT_FOUND = {
    "description": "no such\n  thing",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SMALL = document(
    {
        "/echo/{id}": {
            "parameters": [parameter("id", "path", required=True)],
            "get": operation(
                "echo",
                parameter("q", type="array"),
                parameter("X-Tag", "header"),
                parameter("crumb", "cookie"),
            ),
            "post": operation(
                "send",
                requestBody={"content": {"application/json": {"schema": {"type": "object"}}}},
            ),
            "delete": operation("drop", responses={"204": {"description": "gone"}}),
        },
        "/status/{code}": {
            "get": operation(
                "fail",
                parameter("code", "path", "integer", required=True),
                responses={"200": {"description": "ok"}, "404": NOT_FOUND},
            )
        },
        "/events": {"get": operation("events", responses=answers("text/event-stream"))},
        "/drip": {"get": operation("drip", responses=answers("text/event-stream"))},
        "/wait": {"get": operation("wait")},
        "/picture": {"get": operation("picture", responses=answers("image/png"))},
        "/text": {"get": operation("text", responses=answers("text/plain"))},
        "/big": {"get": operation("big")},
        "/lies": {"get": operation("lies")},
        "/break": {"get": operation("snap"), "post": operation("snapPost")},
        "/away": {"get": operation("away", parameter("to"))},
        "/round": {"get": operation("round")},
    },
    components={
        "schemas": {"Problem": {"type": "object", "properties": {"why": {"type": "string"}}}}
    },
)


class Api:
    """What the API does, and what it has seen."""

    def __init__(self) -> None:
        self.broken = 0
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()

    async def echo(self, request: Request) -> Response:
        return JSONResponse(
            {
                "method": request.method,
                "path": request.scope["raw_path"].decode(),
                "query": request.scope["query_string"].decode(),
                "headers": dict(request.headers),
                "body": (await request.body()).decode(),
            },
            204 if request.method == "DELETE" else 200,
            {"Set-Cookie": "session=secret", "X-Kept": "yes"},
        )

    async def fail(self, request: Request) -> Response:
        return JSONResponse({"why": "because"}, request.path_params["code"], {"Retry-After": "3"})

    async def events(self, request: Request) -> Response:
        async def frames() -> AsyncIterator[bytes]:
            yield b'event: tick\r\nid: 1\r\ndata: {"n": 1}\r\n\r'
            yield b"\n: a comment\ndata: two\ndata: lines\n\ndata: never ended"

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def drip(self, request: Request) -> Response:
        async def frames() -> AsyncIterator[bytes]:
            try:
                yield b"data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                self.stopped.set()

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def wait(self, request: Request) -> Response:
        self.begun.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.stopped.set()
        return Response()

    async def picture(self, request: Request) -> Response:
        return Response(b"\x89PNG\x00", media_type="image/png")

    async def text(self, request: Request) -> Response:
        return Response("grün".encode("latin-1"), media_type="text/plain; charset=latin-1")

    async def big(self, request: Request) -> Response:
        return Response(b'"' + b"x" * BIG + b'"', media_type="application/json")

    async def lies(self, request: Request) -> Response:
        return Response(b'{"half":', media_type="application/json")

    async def snap(self, request: Request) -> Response:
        self.broken += 1

        async def frames() -> AsyncIterator[bytes]:
            yield b"{"
            raise ConnectionResetError

        return StreamingResponse(frames(), headers={"Content-Length": "10"})

    async def away(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"], 302)

    async def round(self, request: Request) -> Response:
        return RedirectResponse("/round", 307)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo/{id:path}", self.echo, methods=["GET", "POST", "DELETE", "PUT"]),
                Route("/status/{code:int}", self.fail),
                Route("/break", self.snap, methods=["GET", "POST"]),
                *(
                    Route(f"/{name}", getattr(self, name))
                    for name in (
                        "events", "drip", "wait", "picture", "text", "big", "lies", "away",
                        "round",
                    )
                ),
            ]
        )  # fmt: skip


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


@asynccontextmanager
async def running(app: Any, port: int = 0) -> AsyncIterator[str]:
    """An application that listens, and its URL."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", port)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@dataclass(kw_only=True)
class Far:
    """A router, and an API at the far end of one link."""

    calls: Calls
    link: HttpApiLink
    made: Imported

    @asynccontextmanager
    async def open(self, name: str, **input: Any) -> AsyncIterator[tuple[Any, Any]]:
        ask = Ask(operation_id=f"api.{name}", input=Raw(encode(input)))
        with anyio.fail_after(PATIENCE_S):
            async with self.calls.opened(ask, ADA) as opened:
                yield opened

    async def envelopes(self, name: str, **input: Any) -> list[dict[str, Any]]:
        """All that a call answers."""
        async with self.open(name, **input) as (_, heard):
            return [msgspec.json.decode(each) async for each in heard]

    async def __call__(self, name: str, **input: Any) -> Any:
        """The data of the one answer."""
        (envelope,) = await self.envelopes(name, **input)
        return envelope["data"]

    async def nothing_held(self) -> None:
        with anyio.fail_after(PATIENCE_S):
            await self.calls.router.quiet()
        assert set(self.calls.router.held().values()) == {0}


async def _explain(error: HubError, operation_id: str, caller: Caller) -> HubError:
    return error


@asynccontextmanager
async def linked(url: str, text: dict | bytes = SMALL, **config: Any) -> AsyncIterator[Far]:
    """An API that is offered to a router."""
    raw = text if isinstance(text, bytes) else encode(text)
    made = await imported(raw, f"{url}/openapi.json", name="api", base_url=url)
    api = msgspec.structs.replace(made.config, **config)
    router = Router([])
    moment = datetime.now(UTC)
    client = Client(
        id="client", name="small", type="http-api", config=Raw(encode(api)), enabled=True,
        owner_id="owner", org_id=None, created_at=moment, updated_at=moment,
    )  # fmt: skip
    with ungrouped():
        async with anyio.create_task_group() as tasks:
            link = HttpApiLink(router, client, api, tasks)
            stored = [Stored(row=spec.id, spec=_stored(spec)) for spec in made.specs]
            router.offer(link.provider, offers_of(stored, client))
            try:
                yield Far(calls=Calls(router, _explain), link=link, made=made)
            finally:
                router.withdraw(link.provider)
                router.close()
                await link.close()


def _stored(spec: Any) -> Any:
    """As it comes back from the database."""
    return msgspec.json.decode(encode(spec), type=type(spec))
