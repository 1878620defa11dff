"""One end of a WebSocket, frame by frame: a caller, a spoke, or both at once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hubbub.kernel.errors import HubError, from_wire

PATIENCE_S = 5
LAST = ("call.completed", "call.aborted", "call.error")

Frame = dict[str, Any]


class Closed(Exception):
    """The hub ended the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Peer:
    """A connection to the hub."""

    def __init__(self, socket: ClientConnection) -> None:
        self.hello: Frame = {}
        self._socket = socket
        self._calls: dict[str, asyncio.Queue[Frame | Closed]] = {}
        self._others: asyncio.Queue[Frame | Closed] = asyncio.Queue()
        self._names = count(1)
        self._closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

    async def read(self) -> None:
        """Sort what comes until the connection ends."""
        try:
            async for message in self._socket:
                frame = read_json(message)
                queue = self._calls.get(frame["payload"].get("requestId"), self._others)
                queue.put_nowait(frame)
        except ConnectionClosed:
            pass
        closed = Closed(self._socket.close_code or 1006, self._socket.close_reason or "")
        self._closed.set_result(closed)
        for queue in (*self._calls.values(), self._others):
            queue.put_nowait(closed)

    @property
    def open(self) -> bool:
        return not self._closed.done()

    async def closed(self) -> int:
        """The code with which the hub ends the connection."""
        async with asyncio.timeout(PATIENCE_S):
            return (await asyncio.shield(self._closed)).code

    async def leave(self) -> None:
        await self._socket.close()

    async def vanish(self) -> None:
        """Be gone without a word, as when a cable is pulled."""
        self._socket.transport.abort()
        await self.closed()

    async def say(self, text: str | bytes) -> None:
        """Send a message as it is."""
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            raise await self._closed from None

    async def send(self, type: str, **payload: object) -> None:
        name = payload.get("requestId", "")
        await self.say(json.dumps({"type": type, "id": name, "payload": payload}))

    async def other(self, type: str) -> Frame:
        """The payload of the next frame that answers none of our own calls; it is of this type."""
        frame = await _next(self._others)
        assert frame["type"] == type, frame
        payload: Frame = frame["payload"]
        return payload

    # As a caller.

    async def begin(self, operation: str, input: object = None, **payload: object) -> str:
        """Ask for a call; our name for it."""
        name = str(payload.pop("requestId", f"c{next(self._names)}"))
        self._calls[name] = asyncio.Queue()
        if input is not None:
            payload["input"] = input
        await self.send("call.requested", requestId=name, operationId=operation, **payload)
        return name

    async def heard(self, name: str) -> Frame:
        """The next frame about a call of ours."""
        return await _next(self._calls[name])

    async def call(self, operation: str, input: object = None, **payload: object) -> Any:
        """The data of the answer.

        Raises:
            HubError: if there is none.
        """
        return (await self.envelope(operation, input, **payload))["data"]

    async def envelope(self, operation: str, input: object = None, **payload: object) -> Any:
        name = await self.begin(operation, input, **payload)
        frame = await self.heard(name)
        del self._calls[name]
        if frame["type"] != "call.responded":
            raise error_of(frame)
        return frame["payload"]["output"]

    async def answers(self, operation: str, input: object = None) -> AsyncIterator[Any]:
        """The data of each answer of a subscription; to stop is to abort it."""
        name = await self.begin(operation, input)
        ended = False
        try:
            while True:
                frame = await self.heard(name)
                ended = frame["type"] in LAST
                if frame["type"] == "call.responded":
                    yield frame["payload"]["output"]["data"]
                elif frame["type"] == "call.completed":
                    return
                elif ended:
                    raise error_of(frame)
        finally:
            if not ended:
                await self.send("call.aborted", requestId=name)

    # As a spoke.

    async def register(self, name: str, *operations: Frame, **more: object) -> Frame:
        """Offer these; what the hub answered."""
        told = {"name": name, "spokeType": "dev-env", "operations": list(operations), **more}
        # However short a time the hub gives to calls that name none.
        deadline = int((time.time() + PATIENCE_S) * 1000)
        registered: Frame = await self.call("hub.register", told, deadline=deadline)
        return registered

    async def asked(self) -> Frame:
        """The next call that the hub wants carried out."""
        return await self.other("call.requested")

    async def stopped(self) -> Frame:
        """The next call that the hub wants stopped."""
        return await self.other("call.aborted")

    async def answer(self, asked: Frame, data: object = None) -> None:
        meta = {"source": "local", "operationId": asked["operationId"], "timestamp": 1}
        output = {"data": data, "meta": meta}
        await self.send("call.responded", requestId=asked["requestId"], output=output)

    async def complete(self, asked: Frame) -> None:
        await self.send("call.completed", requestId=asked["requestId"])

    async def fail(self, asked: Frame, code: str, message: str = "no", **details: object) -> None:
        about = {"code": code, "message": message, "details": details}
        await self.send("call.error", requestId=asked["requestId"], **about)


@asynccontextmanager
async def connected(url: str, key: str | None, **options: Any) -> AsyncIterator[Peer]:
    """A connection that was let in. With `named`, it asks for a host of that name.

    Raises:
        Closed: if it was not.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    host = options.pop("named", url.removeprefix("http://"))
    address = f"ws://{host}/ws"
    options.setdefault("subprotocols", ["hubbub.v1"])
    async with connect(
        address,
        additional_headers=headers | options.pop("headers", {}),
        compression=None,
        **options,
    ) as socket:
        peer = Peer(socket)
        reading = asyncio.create_task(peer.read())
        try:
            peer.hello = await peer.other("hub.hello")
            yield peer
        finally:
            await socket.close()
            await reading


def read_json(text: str | bytes) -> Any:
    """JSON with numbers of any length."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 99 else digits)


def spec(namespace: str, name: str, type: str = "query", **more: object) -> Frame:
    """The definition of an operation as a spoke states it."""
    return {"namespace": namespace, "name": name, "type": type, "description": name, **more}


def error_of(frame: Frame) -> HubError:
    payload = frame["payload"]
    if frame["type"] == "call.aborted":
        return from_wire("ABORTED", "the call was aborted", {"reason": payload["reason"]})
    return from_wire(payload["code"], payload["message"], payload.get("details"))


async def _next(queue: "asyncio.Queue[Frame | Closed]") -> Frame:
    async with asyncio.timeout(PATIENCE_S):
        frame = await queue.get()
    if isinstance(frame, Closed):
        queue.put_nowait(frame)
        raise frame
    return frame
