"""Listening on an address, with uvicorn."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from hubbub.interfaces.front import Front, socket_protocol
from hubbub.interfaces.requests import Requests
from hubbub.interfaces.websocket import WebSocketDoor
from hubbub.kernel.errors import Conflict

BACKLOG: Final = 2048
STOP_S: Final = 5
SWITCH_S: Final = 0.0005


class Server(uvicorn.Server):
    """uvicorn, with the signals left to whoever runs the hub, and which leaves when it is told to
    rather than a tenth of a second later."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def leave(self) -> None:
        """Serve no more. `serve` returns once everybody has been answered."""
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        # What ticks there is the time for headers, which are not sent.
        await self.on_tick(0)
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections:
            await super().shutdown(sockets)
            return
        for each in (*self.servers, *(sockets or ())):
            each.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(
    app: ASGIApp, sockets: WebSocketDoor, listener: socket.socket
) -> AsyncIterator[str]:
    """Serve both doors until the block is left; the URL under which it is reached."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        http=partial(_front, sockets),  # type: ignore[arg-type]  # any maker of protocols will do
        ws="none",
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        date_header=False,
    )
    server = Server(config)
    # Every statement of a write gives up the interpreter. Behind a busy loop each would wait its
    # turn for the default of 5 ms to get it back.
    sys.setswitchinterval(SWITCH_S)
    # What is here now stays. Calls come and go by the thousand and leave no cycles behind, so the
    # collector may look for those less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _url(listener)
    finally:
        server.leave()
        await serving


def _front(sockets: WebSocketDoor, **uvicorn_own: Any) -> Front:
    return Front(partial(Requests, **uvicorn_own), partial(socket_protocol, sockets))


def bound(host: str, port: int) -> socket.socket:
    """The address, taken.

    Raises:
        Conflict: if somebody else has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Conflict(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}", host=host, port=port
        ) from error
    # Its connections inherit this. Without it the second of two small writes, such as the body
    # after its headers, waits 40 ms for the other end to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
