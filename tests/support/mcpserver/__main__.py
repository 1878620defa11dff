"""Serves until it is stopped, over HTTP or over standard input and output."""

import argparse
import asyncio
import socket
import sys
import warnings

import uvicorn
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tests.support.mcpserver.eras import ERAS, Gate, gatekeeper
from tests.support.mcpserver.server import CHANGES, server

HOST = "127.0.0.1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="mcpserver")
    parser.add_argument("--stdio", action="store_true", help="instead of HTTP")
    parser.add_argument("--sse", action="store_true", help="HTTP as the oldest revision has it")
    parser.add_argument("--era", choices=ERAS, default="both")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="answer without a stream where I can")
    chosen = parser.parse_args()
    # Sampling, roots and logging are deprecated, and shown all the same.
    warnings.simplefilter("ignore")
    if chosen.stdio:
        asyncio.run(speak(chosen.era))
    else:
        made = oldest() if chosen.sse else server().streamable_http_app(json_response=chosen.json)
        serve(Gate(made, "both" if chosen.sse else chosen.era), chosen.port)


async def speak(era: str) -> None:
    made = server()
    made.middleware.insert(0, gatekeeper(era))
    async with stdio_server() as (reading, writing):
        await made.run(reading, writing, made.create_initialization_options(CHANGES))


def oldest() -> Starlette:
    """One stream to hear, and another URL to send to."""
    made, transport = server(), SseServerTransport("/messages/")

    async def hear(request: Request) -> Response:
        streams = transport.connect_sse(request.scope, request.receive, request._send)
        async with streams as (reading, writing):
            await made.run(reading, writing, made.create_initialization_options(CHANGES))
        return Response()

    sent = Mount("/messages/", app=transport.handle_post_message)
    return Starlette(routes=[Route("/mcp", hear), sent])


def serve(app: ASGIApp, port: int) -> None:
    """Says at which URL, in one line, once it can be reached."""
    with socket.create_server((HOST, port)) as listening:
        print(f"http://{HOST}:{listening.getsockname()[1]}/mcp", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
