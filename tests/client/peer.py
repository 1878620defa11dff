"""A hub that does what a test tells it: it speaks the wire, and knows no operations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from hubbub.kernel.errors import HubError
from hubbub.protocol import codec, envelope, frames

KEY = "key-of-the-tests"
HELLO = frames.Hello(
    protocol=frames.PROTOCOL_VERSION,
    hub="scripted",
    connection_id="connection-1",
    account_id="account-1",
    ping_interval_ms=15_000,
    frame_bytes_max=1024 * 1024,
)

F = TypeVar("F", bound=frames.Frame)


class Peer:
    """The hub's end of one connection."""

    def __init__(self, wire: ServerConnection) -> None:
        self.wire = wire

    async def send(self, frame: frames.Frame) -> None:
        await self.wire.send(codec.encode(frame), text=True)

    async def receive(self) -> frames.CallFrame:
        return codec.decode_call_frame(await self.wire.recv(decode=False))

    async def expect(self, kind: type[F]) -> Any:
        """The payload of the next frame, which must be of that kind."""
        frame = await self.receive()
        assert isinstance(frame, kind), frame
        return frame.payload

    async def respond(self, request_id: str, data: object, call_id: str = "call-1") -> None:
        output = msgspec.Raw(envelope.local("test.operation", data))
        payload = frames.Responded(request_id=request_id, output=output, call_id=call_id)
        await self.send(frames.CallResponded(id=request_id, payload=payload))

    async def complete(self, request_id: str) -> None:
        await self.send(
            frames.CallCompleted(id=request_id, payload=frames.Completed(request_id=request_id))
        )

    async def fail(self, request_id: str, error: HubError) -> None:
        await self.send(codec.failed(request_id, error, call_id="call-1"))

    async def aborted(self, request_id: str, reason: str) -> None:
        payload = frames.CallAborted(request_id=request_id, reason=reason)
        await self.send(frames.CallAbort(id=request_id, payload=payload))

    async def request(self, request_id: str, operation: str, input: object, **more: Any) -> None:
        payload = frames.Requested(
            request_id=request_id,
            operation_id=operation,
            input=msgspec.Raw(codec.encode(input)),
            **more,
        )
        await self.send(frames.CallRequested(id=request_id, payload=payload))

    async def drain(self, retry_after_ms: int) -> None:
        payload = frames.Drain(retry_after_ms=retry_after_ms, reason="restart")
        await self.send(frames.HubDrain(payload=payload))

    async def register(self, spoke_id: str = "spoke-1", epoch: int = 1) -> dict[str, Any]:
        """Accept the registration that must come next; its input."""
        requested = await self.expect(frames.CallRequested)
        assert requested.operation_id == "hub.register"
        registration: dict[str, Any] = msgspec.json.decode(requested.input)
        result = {"spokeId": spoke_id, "epoch": epoch, "operations": []}
        await self.respond(requested.request_id, result)
        return registration


def data(payload: frames.Responded) -> Any:
    """What an answer carries."""
    return msgspec.json.decode(envelope.opened(payload.output).data)


def error(payload: frames.Failed) -> tuple[str, dict[str, object]]:
    """The code and the details of a failure."""
    return payload.code, codec.details_of(payload.details)


class ScriptedHub:
    """Listens on loopback; hands over each connection, greeted."""

    def __init__(self, hello: frames.Hello) -> None:
        self._hello = hello
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.url = ""
        self.headers: list[Headers] = []

    async def peer(self) -> Peer:
        """The next one that connects."""
        return await self._peers.get()

    async def serve(self, wire: ServerConnection) -> None:
        peer = Peer(wire)
        await peer.send(frames.HubHello(payload=self._hello))
        self._peers.put_nowait(peer)
        await wire.wait_closed()

    def check(self, wire: ServerConnection, request: Request) -> Response | None:
        self.headers.append(request.headers)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return wire.respond(401, "no such key\n")
        return None


@asynccontextmanager
async def scripted_hub(hello: frames.Hello = HELLO) -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub(hello)
    async with serve(
        hub.serve,
        "127.0.0.1",
        0,
        subprotocols=[frames.SUBPROTOCOL],
        process_request=hub.check,
        close_timeout=1,
    ) as server:
        host, port = server.sockets[0].getsockname()
        hub.url = f"ws://{host}:{port}/ws"
        yield hub
