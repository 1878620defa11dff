"""Callers and spokes that cost next to nothing (picows, frames made from bytes), so that what is
measured is the hub. They speak Hubbub's protocol, to the hub and to the bare relays alike."""

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

OPERATION: Final = "bench.echo"
INPUT_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "offset": {"type": "integer", "minimum": 0},
        "limit": {"type": "integer", "minimum": 1},
        "note": {"type": "string"},
    },
    "required": ["path"],
}
SPEC: Final = {
    "namespace": "bench",
    "name": "echo",
    "type": "query",
    "description": "Give back what came.",
    "inputSchema": INPUT_SCHEMA,
}
INPUT_BYTES: Final = 500
CONCURRENCY_MAX: Final = 4096
ANSWER: Final = (
    b'{"type":"call.responded","id":"%b","payload":{"requestId":"%b","output":{"data":%b,"meta":'
    b'{"source":"local","operationId":"bench.echo","timestamp":1}}}}'
)
CALL: Final = (
    b'{"type":"call.requested","id":"","payload":'
    b'{"requestId":"%d","operationId":"bench.echo","input":%b}}'
)


class Payload(msgspec.Struct, rename="camel"):
    request_id: str
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Asked(msgspec.Struct):
    payload: Payload


_decode = msgspec.json.Decoder(Asked).decode


def input_of(size: int = INPUT_BYTES) -> bytes:
    """An input of that many bytes, which fits `INPUT_SCHEMA`."""
    value = {"path": "/srv/repo/src/module_1/file.py", "offset": 0, "limit": 2000, "note": ""}
    value["note"] = "x" * (size - len(json.dumps(value)))
    return json.dumps(value).encode()


class Peer(WSListener, ABC):
    """A connection that takes one frame after the other."""

    transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.BINARY:
            self.took(frame.get_payload_as_bytes())

    def send(self, frame: bytes) -> None:
        self.transport.send(WSMsgType.TEXT, frame)

    @abstractmethod
    def took(self, frame: bytes) -> None:
        """A frame came."""


async def connected(peer: Peer, url: str, key: str | None) -> None:
    """Connect `peer` to a hub or relay."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    await ws_connect(
        lambda: peer, url.replace("http", "ws", 1) + "/ws", extra_headers=headers, max_redirects=0
    )


def registration(name: str, specs: Sequence[dict[str, Any]], concurrency_max: int) -> bytes:
    """The frame by which a spoke says what it offers."""
    told = {
        "name": name,
        "spokeType": "dev-env",
        "operations": specs,
        "concurrencyMax": concurrency_max,
    }
    payload = {"requestId": "register", "operationId": "hub.register", "input": told}
    return json.dumps({"type": "call.requested", "id": "register", "payload": payload}).encode()


class EchoSpoke(Peer):
    """Offers operations, and answers every call with its own input."""

    def __init__(self, name: str = "bench", specs: Sequence[dict[str, Any]] = (SPEC,)) -> None:
        self._name = name
        self._specs = specs
        self.registered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def register(self) -> None:
        self.send(registration(self._name, self._specs, CONCURRENCY_MAX))

    def took(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"call.requested"'):
            asked = _decode(frame).payload
            id = asked.request_id.encode()
            self.send(ANSWER % (id, id, asked.input))
        elif not self.registered.done() and b'"register"' in frame:
            self.registered.set_result(json.loads(frame))


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a caller saw of the calls that were answered, and how many were refused. Seconds."""

    calls: int
    errors: int
    took_s: float
    latencies: list[float]

    @property
    def per_s(self) -> float:
        return self.calls / self.took_s


class Caller(Peer):
    """Keeps a number of calls in flight until its time is over."""

    def __init__(self, input: bytes) -> None:
        self._input = input
        self._next = 0
        self._started: dict[int, float] = {}
        self._latencies: list[float] = []
        self._errors = 0
        self._until = 0.0
        self._done: asyncio.Future[None] | None = None

    async def load(self, in_flight: int, seconds: float) -> Load:
        """Call and call again; every answer starts the next call."""
        self._latencies, self._errors = [], 0
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._until = began + seconds
        for _ in range(in_flight):
            self._call()
        await asyncio.wait_for(self._done, seconds + 30)
        return Load(
            calls=len(self._latencies),
            errors=self._errors,
            took_s=time.perf_counter() - began,
            latencies=self._latencies,
        )

    def took(self, frame: bytes) -> None:
        now = time.perf_counter()
        at = frame.index(b'"id":"') + 6
        id = frame[at : frame.index(b'"', at)]
        started = self._started.pop(int(id), None) if id else None
        if started is None:
            return  # the hub's hello, or its goodbye
        if frame.startswith(b'{"type":"call.responded"'):
            self._latencies.append(now - started)
        else:
            self._errors += 1
        if now < self._until:
            self._call()
        elif not self._started and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _call(self) -> None:
        self._next += 1
        self._started[self._next] = time.perf_counter()
        self.send(CALL % (self._next, self._input))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


async def spoke(url: str, key: str | None) -> None:
    """An echo spoke until it is killed."""
    peer = EchoSpoke()
    await connected(peer, url, key)
    peer.register()
    answer = await asyncio.wait_for(peer.registered, 10)
    print(json.dumps(answer["payload"]), flush=True)
    await peer.transport.wait_disconnected()


if __name__ == "__main__":
    uvloop.run(spoke(sys.argv[1], sys.argv[2] or None))
