"""HTTP to the hub, small and quick to load: one request at a time on each of a few connections."""

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httptools

from hubbub.kernel.errors import TooLarge, Unavailable
from hubbub.protocol.events import Event, Events

EVENTS: Final = "text/event-stream"
CONNECT_S: Final = 10.0
PIECE_BYTES: Final = 65_536
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
HEADERS_MAX: Final = 200
IDLE_MAX: Final = 8
# The hub closes a connection that is idle for five seconds. One that it closes while we write to
# it would leave us in doubt whether the request arrived.
IDLE_S: Final = 3.0


class Unsent(Unavailable):
    """Nothing arrived: it can be sent again."""


class Lost(Unavailable):
    """Sent, and cut off before the end: whether it arrived is not known."""


@dataclass
class Response:
    """The head of an answer, and its body as it comes. `done` gives back what it came over."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: AsyncIterator[bytes] = field(default_factory=lambda: _nothing())
    done: Callable[[], None] = lambda: None
    stream: Events = field(default_factory=lambda: Events(MESSAGE_BYTES_MAX))
    """What its events have said of how to go on."""

    @property
    def streams(self) -> bool:
        """Whether events follow."""
        return self.status < 400 and self.kind == EVENTS

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def body(self) -> bytes:
        """All of it, up to a bound."""
        whole = bytearray()
        async for piece in self.pieces:
            whole += piece
            if len(whole) > MESSAGE_BYTES_MAX:
                raise TooLarge(f"the answer is over {MESSAGE_BYTES_MAX} bytes")
        return bytes(whole)

    async def events(self) -> AsyncGenerator[Event]:
        """The events of a stream, as they come."""
        async for piece in self.pieces:
            for event in self.stream.fed(piece):
                yield event


class Wire:
    """Connections to one hub."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._idle: deque[tuple[float, _Connection]] = deque()

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes = b"",
        on_sent: Callable[[], None] = lambda: None,
    ) -> Response:
        """The answer to a request, to be called `done` with.

        Raises:
            Unsent: the hub is not there.
            Lost: it went away in the middle.
        """
        connection = self._rested() or await self._connected()
        try:
            await connection.write(_head(method, path, self._authority, headers, len(body)), body)
            on_sent()
            response = await connection.response()
        except BaseException:
            connection.close()
            raise
        response.done = lambda: self._rest(connection)
        return response

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _rested(self) -> "_Connection | None":
        while self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < IDLE_S and not connection.ended:
                return connection
            connection.close()
        return None

    def _rest(self, connection: "_Connection") -> None:
        if not connection.reusable:
            connection.close()
            return
        self._idle.append((time.monotonic(), connection))
        if len(self._idle) > IDLE_MAX:
            self._idle.popleft()[1].close()

    async def _connected(self) -> "_Connection":
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise Unsent("the hub does not answer", reason=str(error) or "too slow") from error
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _Connection(reader, writer)


class _Connection:
    """One connection, and the parser of what comes over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = httptools.HttpResponseParser(self)
        self._got = Response()
        self._pieces: deque[bytes] = deque()
        self._begun = False
        self._whole = False
        self._keeps = False

    @property
    def ended(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    @property
    def reusable(self) -> bool:
        return self._whole and self._keeps and not self._pieces and not self.ended

    async def write(self, head: bytes, body: bytes) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._got, self._begun, self._whole = Response(), False, False
        self._writer.write(head)
        self._writer.write(body)
        # A hub that refuses a request answers before it has read it, and hangs up.
        with suppress(OSError):
            await self._writer.drain()

    async def response(self) -> Response:
        while not self._begun:
            await self._read()
        self._got.pieces = self._body()
        return self._got

    async def _body(self) -> AsyncGenerator[bytes]:
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._whole:
                return
            await self._read()

    async def _read(self) -> None:
        try:
            piece = await self._reader.read(PIECE_BYTES)
            if not piece:
                self._cut()
                return
            self._parser.feed_data(piece)
        except OSError as error:
            raise Lost("the hub hung up", reason=str(error)) from error
        except httptools.HttpParserError as error:
            raise Lost("what answers there speaks no HTTP", reason=str(error)) from error

    def _cut(self) -> None:
        """The end of the connection, which is that of a body whose length nobody said."""
        lengths = ("content-length", "transfer-encoding")
        if not self._begun or any(name in self._got.headers for name in lengths):
            raise Lost("the hub hung up")
        self._whole = True

    def close(self) -> None:
        self._writer.close()

    # What the parser tells.
    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._got.headers) < HEADERS_MAX:
            self._got.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._got.status = self._parser.get_status_code()
        self._begun = self._got.status >= 200

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._whole = self._begun
        self._keeps = self._parser.should_keep_alive()


def _head(
    method: str, path: str, authority: str, headers: Mapping[str, str], body_bytes: int
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if method == "POST":
        lines.append(f"Content-Length: {body_bytes}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield
