"""One port for two protocols: who asks for `/ws` speaks WebSocket, all others HTTP.

WebSocket frames go to picows, which costs a third of what an ASGI server does for each; requests go
to uvicorn. The first bytes of a connection tell them apart, and then this is out of the way.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from picows import WSAutoPingStrategy
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stub

from hubbub.interfaces.websocket import WebSocketDoor
from hubbub.kernel.limits import FRAME_BYTES_MAX

FIRST_BYTES_S: Final = 10.0
PATH: Final = (b"GET /ws ", b"GET /ws?")
READ_BUFFER_BYTES: Final = 4096

log = logging.getLogger(__name__)


class Front(asyncio.Protocol):
    """A connection whose first bytes have not come yet."""

    def __init__(
        self, http: Callable[[], asyncio.Protocol], sockets: Callable[[], asyncio.BufferedProtocol]
    ) -> None:
        self._http = http
        self._sockets = sockets
        self._transport: Any = None
        self._first = b""
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._waiting = loop.call_later(FIRST_BYTES_S, transport.close)

    def data_received(self, data: bytes) -> None:
        self._first += data
        if len(self._first) < len(PATH[0]) and PATH[0].startswith(self._first):
            return
        self._stop_waiting()
        if self._first.startswith(PATH):
            self._become_socket()
        else:
            protocol = self._http()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()

    def _become_socket(self) -> None:
        protocol = self._sockets()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        left = memoryview(self._first)
        while left:
            buffer = memoryview(protocol.get_buffer(len(left)))
            size = min(len(buffer), len(left))
            buffer[:size] = left[:size]
            protocol.buffer_updated(size)
            left = left[size:]

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def socket_protocol(sockets: WebSocketDoor) -> asyncio.BufferedProtocol:
    """picows for one connection, as its own `ws_create_server` sets it up."""
    protocol: asyncio.BufferedProtocol = WSProtocol(
        None,  # host and port, of a client
        None,  # path, of a client
        False,  # is_client_side
        sockets.upgrade,
        log,
        True,  # disconnect_on_exception
        FIRST_BYTES_S,  # websocket_handshake_timeout
        True,  # enable_auto_ping
        sockets.ping_s,  # auto_ping_idle_timeout
        sockets.ping_s,  # auto_ping_reply_timeout
        WSAutoPingStrategy.PING_WHEN_IDLE,
        True,  # enable_auto_pong
        FRAME_BYTES_MAX,
        None,  # extra_headers, of a client
        READ_BUFFER_BYTES,
    )
    return protocol
