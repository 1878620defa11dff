"""Bare relays, the floors under the hub: the same frames, routed with no logic at all.

`python -m benchmarks.floors picows|uvicorn`. On picows, as the hub's own door is, the difference
between the two is what the hub does; uvicorn is what an ASGI application would have paid.
"""

import json
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec
import uvicorn
import uvloop
from msgspec import Raw
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

TO: Final = "127.0.0.1"


class Payload(msgspec.Struct, rename="camel", omit_defaults=True):
    request_id: str
    operation_id: str = ""
    input: Raw = Raw(b"{}")
    output: Raw = Raw(b"")


class Frame(msgspec.Struct, omit_defaults=True):
    type: str
    id: str
    payload: Payload


_decode = msgspec.json.Decoder(Frame).decode
_encode = msgspec.json.Encoder().encode

Send = Callable[[bytes], Any]


class Relay:
    """One spoke, who registered last; every call goes to it under an id of the relay's own."""

    def __init__(self) -> None:
        self._spoke: Send | None = None
        self._pending: dict[str, tuple[Send, str]] = {}
        self._next = 0

    def route(self, sender: Send, data: bytes | memoryview | str) -> tuple[Send, bytes] | None:
        """To whom a frame goes, and how it reads there."""
        frame = _decode(data)
        payload = frame.payload
        if frame.type == "call.requested":
            if payload.operation_id == "hub.register":
                self._spoke = sender
                return sender, b'{"type":"call.responded","id":"register","payload":{}}'
            assert self._spoke is not None
            self._next += 1
            id = str(self._next)
            self._pending[id] = sender, payload.request_id
            frame.id = payload.request_id = id
            return self._spoke, _encode(frame)
        caller, frame.id = self._pending.pop(payload.request_id)
        payload.request_id = frame.id
        return caller, _encode(frame)


class _Socket:
    """The relay as an ASGI application."""

    def __init__(self) -> None:
        self._relay = Relay()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        route = self._relay.route

        async def sender(frame: bytes) -> None:
            await send({"type": "websocket.send", "text": frame.decode()})

        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("text")
            target = route(sender, message["bytes"] if data is None else data)
            if target is not None:
                await target[0](target[1])


async def _me(request: Request) -> Response:
    await request.body()
    return Response(b'{"data":{"id":"x"},"meta":{}}', media_type="application/json")


async def on_uvicorn() -> None:
    """The relay, and one bare route, as an ASGI application."""
    app = Starlette(
        routes=[
            WebSocketRoute("/ws", _Socket()),
            Route("/v1/account/me", _me, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        server_header=False,
        date_header=False,
    )
    with socket.create_server((TO, 0)) as listener:
        _say(listener.getsockname()[1])
        await uvicorn.Server(config).serve(sockets=[listener])


class _Listener(WSListener):
    def __init__(self, relay: Relay) -> None:
        self._route = relay.route

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._send: Send = lambda frame: transport.send(WSMsgType.TEXT, frame)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        target = self._route(self._send, frame.get_payload_as_memoryview())
        if target is not None:
            target[0](target[1])


async def on_picows() -> None:
    """The relay on the WebSocket server of the hub."""
    relay = Relay()
    server = await ws_create_server(lambda request: _Listener(relay), TO, 0)
    _say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _say(port: int) -> None:
    print(json.dumps({"url": f"http://{TO}:{port}", "key": None}), flush=True)


if __name__ == "__main__":
    uvloop.run({"uvicorn": on_uvicorn, "picows": on_picows}[sys.argv[1]]())
