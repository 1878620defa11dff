"""Peers that can be told to behave, or not to."""

import asyncio
import json
from collections import Counter, deque

from picows import WSMsgType, ws_connect

from benchmarks.peers import ANSWER, Peer, registration

ECHO = {
    "namespace": "try",
    "name": "echo",
    "type": "query",
    "description": "Give back what came.",
    "inputSchema": {"type": "object"},
}
HANG = {**ECHO, "name": "hang", "description": "Never answer."}
BIG = {**ECHO, "name": "big", "description": "Answer more than was asked."}
BIG_ANSWER = b'"' + b"x" * 32 * 1024 + b'"'
KEPT = 1000


class Refused(Exception):
    """The hub or a spoke answered with an error."""

    def __init__(self, code, message, details):
        super().__init__(f"{code}: {message} {str(details)[:300]}")
        self.code = code
        self.details = details


class Client(Peer):
    """A caller, and a spoke that echoes once it has registered."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.hello = loop.create_future()
        self.left = loop.create_future()
        """The close code; None where the connection just ended."""
        self.told = deque(maxlen=KEPT)  # what is no answer to a call
        self.counts = Counter()
        self._code = None
        self._waiting = {}
        self._next = 0

    async def connect(self, url, key, **how):
        """Connect, and wait for the hub's hello."""
        await ws_connect(
            lambda: self,
            url.replace("http", "ws", 1) + "/ws",
            extra_headers={"Authorization": f"Bearer {key}"},
            **how,
        )
        await asyncio.wait_for(asyncio.shield(self.hello), 20)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            self._code = frame.get_close_code()
            transport.disconnect()
        else:
            super().on_ws_frame(transport, frame)

    def on_ws_disconnected(self, transport):
        if not self.left.done():
            self.left.set_result(self._code)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the hub hung up"))
        self._waiting.clear()

    def took(self, frame):
        told = json.loads(frame)
        kind, payload = told["type"], told["payload"]
        self.counts[kind] += 1
        if kind == "hub.hello":
            self.hello.set_result(payload)
        elif kind == "call.requested":
            self.asked(payload)
        elif (waiting := self._waiting.pop(payload.get("requestId"), None)) is not None:
            if not waiting.done():
                waiting.set_result(told)
        else:
            self.told.append(told)

    def asked(self, payload):
        """A call for this spoke."""
        operation, id = payload["operationId"], payload["requestId"].encode()
        if operation.endswith("echo"):
            self.send(ANSWER % (id, id, json.dumps(payload.get("input", {})).encode()))
        elif operation.endswith("big"):
            self.send(ANSWER % (id, id, BIG_ANSWER))

    async def frame(self, operation, input=None, *, timeout_s=20, **fields):
        """The frame that ends a call."""
        self._next += 1
        id = f"call-{self._next}"
        payload = {"requestId": id, "operationId": operation, "input": input or {}, **fields}
        self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            self.send(json.dumps({"type": "call.requested", "payload": payload}).encode())
            # wait_for of Python 3.11 loses a cancellation that comes together with the answer.
            async with asyncio.timeout(timeout_s):
                return await self._waiting[id]
        finally:
            self._waiting.pop(id, None)

    async def call(self, operation, input=None, **how):
        """What an operation gives back.

        Raises:
            Refused: if it fails.
        """
        frame = await self.frame(operation, input, **how)
        payload = frame["payload"]
        if frame["type"] == "call.responded":
            return payload["output"]["data"]
        raise Refused(payload.get("code"), payload.get("message"), payload.get("details", payload))

    async def register(self, name, specs=(ECHO, HANG), concurrency_max=4096):
        """Offer operations; what the hub answers."""
        told = registration(name, list(specs), concurrency_max)
        return await self.call("hub.register", json.loads(told)["payload"]["input"])

    def pause(self):
        """Read no more."""
        self.transport.underlying_transport.pause_reading()

    def resume(self):
        self.transport.underlying_transport.resume_reading()


async def until(true, timeout_s=20):
    """Wait until something is so, looking at it again and again."""
    async with asyncio.timeout(timeout_s):
        # There is nothing to wait on but another process.
        while not (found := true()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found
