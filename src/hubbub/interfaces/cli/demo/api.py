"""A small HTTP API, as there are many: a few stations, how warm it is there, and a document."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hubbub.interfaces.server import Server

NAME: Final = "weather"
STATIONS: Final = {"oslo": -4.5, "lima": 19.0, "nuuk": -11.5}

_STATION: Final = {
    "name": "station",
    "in": "path",
    "required": True,
    "description": "The name of a station.",
    "schema": {"type": "string", "enum": sorted(STATIONS)},
}
DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Weather", "version": "1.0.0"},
    "paths": {
        "/stations": {
            "get": {
                "operationId": "listStations",
                "summary": "The names of all weather stations.",
                "responses": {"200": {"description": "Their names."}},
            }
        },
        "/stations/{station}/temperature": {
            "get": {
                "operationId": "getTemperature",
                "summary": "How warm it is at a weather station, in degrees Celsius.",
                "parameters": [_STATION],
                "responses": {
                    "200": {"description": "The temperature."},
                    "404": {"description": "There is no such station."},
                },
            }
        },
    },
}


async def _document(request: Request) -> JSONResponse:
    return JSONResponse({**DOCUMENT, "servers": [{"url": str(request.base_url)}]})


async def _stations(request: Request) -> JSONResponse:
    return JSONResponse(sorted(STATIONS))


async def _temperature(request: Request) -> JSONResponse:
    name = request.path_params["station"]
    if name not in STATIONS:
        return JSONResponse({"error": f"no station {name}"}, 404)
    return JSONResponse({"station": name, "celsius": STATIONS[name]})


APP: Final = Starlette(
    routes=[
        Route("/openapi.json", _document),
        Route("/stations", _stations),
        Route("/stations/{station}/temperature", _temperature),
    ]
)


@asynccontextmanager
async def weather() -> AsyncIterator[str]:
    """The URL of the API's document, until the block is left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            APP, lifespan="off", log_config=None, access_log=False, ws="none", date_header=False
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/openapi.json"
        finally:
            server.leave()
            await serving
