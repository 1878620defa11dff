"""The wire to a hub: a WebSocket that notices when the far end is gone."""

import asyncio
import contextlib
import socket

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.protocol import State
from websockets.typing import Subprotocol

from hubbub.client.transport import Closed
from hubbub.kernel.errors import Invalid, Unauthenticated, Unavailable
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.closing import LOST, NORMAL
from hubbub.protocol.frames import SUBPROTOCOL

PING_S = 15
OPEN_S = 10
CLOSE_S = 2  # how long a goodbye may take before the socket is aborted
SEND_S = 30  # how long one message may wait for a far end that reads nothing


class WebSocketTransport:
    """One message at a time goes out; the next waits until the socket took it.

    So no more than one message beyond the socket's own buffer (32 KiB) is ever held here, however
    many calls answer at once. The others wait in their callers, whose number is bounded.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._socket = connection
        self._turn = asyncio.Lock()

    @property
    def open(self) -> bool:
        return self._socket.state is State.OPEN

    async def send(self, data: bytes) -> None:
        try:
            async with self._turn, asyncio.timeout(SEND_S):
                await self._socket.send(data, text=True)
        except TimeoutError:
            # The far end is connected and reads nothing. Pings cannot tell: they queue behind.
            self._socket.transport.abort()
            raise Closed(LOST, "the hub stopped reading") from None
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> bytes:
        try:
            return await self._socket.recv(decode=False)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        try:
            async with asyncio.timeout(2 * CLOSE_S):
                await self._socket.close(code, reason)
        except TimeoutError:
            # The goodbye waits behind a buffer that the far end does not empty.
            self._socket.transport.abort()


def _closed(error: ConnectionClosed) -> Closed:
    return Closed(error.rcvd.code, error.rcvd.reason) if error.rcvd else Closed(LOST, str(error))


async def dial(url: str, key: str) -> WebSocketTransport:
    """A connection to the hub at `url`, such as `http://127.0.0.1:4820`.

    Raises:
        Unauthenticated: the hub does not accept the key; trying again does not help.
        Invalid: `url` is not the address of a WebSocket; neither here.
        Unavailable: nobody answers there, or no hub does; it may later.
    """
    try:
        connection = await connect(
            address(url),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {key}"},
            # Calls are small and links are local or fast: deflating costs more than it saves.
            compression=None,
            # To a call that is as large as the hub takes it adds who asks, until when and for what.
            max_size=2 * FRAME_BYTES_MAX,
            open_timeout=OPEN_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_S,
        )
    except InvalidURI as error:
        raise _no_address(url) from error
    except InvalidStatus as error:
        raise _refused(url, error.response.status_code) from error
    except (OSError, TimeoutError, EOFError, WebSocketException) as error:
        raise Unavailable("no hub answers there", url=url, reason=str(error)) from error
    except ValueError as error:  # a port that is none, a name that no host can have
        raise _no_address(url) from error
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close(1002, "expected " + SUBPROTOCOL)
        raise Unavailable(f"what answers there does not speak {SUBPROTOCOL}", url=url)
    _notice_silence(connection)
    return WebSocketTransport(connection)


def address(url: str) -> str:
    """Where a hub takes WebSockets: `http://HOST` and `ws://HOST` both mean `ws://HOST/ws`."""
    for web, wire in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(web):
            url = wire + url.removeprefix(web)
    scheme, separator, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}{separator}{host}/{path or 'ws'}" if host else url


def _no_address(url: str) -> Invalid:
    return Invalid(
        "that is not the address of a hub",
        errors=[{"field": "url", "expected": "ws://HOST:PORT/ws or wss://", "got": url}],
    )


def _refused(url: str, status: int) -> Unauthenticated | Unavailable:
    # Some servers have no way to refuse an upgrade but 403.
    if status in (401, 403):
        return Unauthenticated("the hub does not accept this key", url=url, status=status)
    return Unavailable("the hub refused the connection", url=url, status=status)


def _notice_silence(connection: ClientConnection) -> None:
    # A ping behind a full send buffer waits as long as the kernel retransmits, a quarter of an
    # hour. The kernel is told to give up sooner, where it can be told.
    tcp = connection.transport.get_extra_info("socket")
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)
