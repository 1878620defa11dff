"""Clients of MCP over HTTP, of both eras, as cheap as they get, that look at every answer."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httptools
import msgspec

from benchmarks.peers import Load
from hubbub.protocol.mcp import CAPABILITIES_KEY, CLIENT_KEY, HANDSHAKE, MODERN, VERSION_KEY

Era = Literal["2025-11-25", "2026-07-28"]
LEGACY: Final[Era] = "2025-11-25"
NEWER: Final[Era] = "2026-07-28"
assert (HANDSHAKE[-1], MODERN) == (LEGACY, NEWER)

CLIENT: Final = {"name": "bench", "version": "1"}
FIRST_ID: Final = 10_000_000
"""Ids and texts as long as this one, so that all requests are of one length."""
MARK: Final = "99999999"
ANSWER_S: Final = 60


class _Content(msgspec.Struct, frozen=True):
    text: str = ""


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    content: list[_Content] = []
    is_error: bool = False


class _Answer(msgspec.Struct, frozen=True):
    id: int | str | None = None
    result: _Result = _Result()


_answers = msgspec.json.Decoder(_Answer)


@dataclass(kw_only=True)
class Place:
    """Where a tool is called, and how."""

    url: str
    era: Era
    tool: str = "echo"
    through: str | None = None
    """The id of the tool, where it is called by the meta tool `call_tool`."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def message(self, method: str, params: Mapping[str, object], id: int | str) -> dict[str, Any]:
        """A request as this era has it."""
        if self.era == NEWER:
            meta = {VERSION_KEY: MODERN, CLIENT_KEY: CLIENT, CAPABILITIES_KEY: {}}
            params = {**params, "_meta": meta}
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}

    def request(
        self, message: Mapping[str, Any], session: str | None = None, *, first: bool = False
    ) -> bytes:
        """A message as the bytes of HTTP."""
        split = urlsplit(self.url)
        body = json.dumps(message).encode()
        headers = {
            "Host": split.netloc,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        if not first:
            headers["MCP-Protocol-Version"] = self.era
        if self.era == NEWER:
            headers["Mcp-Method"] = message["method"]
            if "name" in message["params"]:
                headers["Mcp-Name"] = message["params"]["name"]
        if session is not None:
            headers["Mcp-Session-Id"] = session
        lines = [f"POST {split.path} HTTP/1.1", *(f"{key}: {headers[key]}" for key in headers)]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def call(self, session: str | None) -> list[bytes]:
        """The request that calls the tool, in parts: between them stands what tells one call from
        another."""
        arguments: dict[str, object] = {"text": MARK}
        name = self.tool
        if self.through is not None:
            name, arguments = "call_tool", {"name": self.through, "arguments": arguments}
        params = {"name": name, "arguments": arguments}
        return (
            self.request(self.message("tools/call", params, MARK), session)
            .replace(b'"id": "%b"' % MARK.encode(), b'"id":   %b' % MARK.encode())
            .split(MARK.encode())
        )


class Connection(asyncio.Protocol):
    """One request at a time, and the whole of its answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._answered: asyncio.Future[bytes] | None = None
        self._body = b""
        self.headers: dict[str, str] = {}

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the server hung up"))

    def on_message_begin(self) -> None:
        self._body, self.headers = b"", {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(self._body)

    def ask(self, request: bytes) -> Awaitable[bytes]:
        """Send it; the body of the answer, without the dress of events."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def close(self) -> None:
        self._transport.close()


def message_in(body: bytes) -> bytes:
    """The last message of a body, which may be a stream of events."""
    if body[:1] == b"{":
        return body
    lines = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    return next((line for line in reversed(lines) if line), b"{}")


class Clients:
    """Clients of one place, each on a connection and, of the older era, in a session of its own."""

    def __init__(self, place: Place, clients: int) -> None:
        self.place = place
        self._clients = clients
        self._calls: list[list[bytes]] = []
        self._next = FIRST_ID
        self.last_wrong = b""

    async def greet(self) -> None:
        """Shake hands, where that is done."""
        for _ in range(self._clients):
            session = None
            if self.place.era == LEGACY:
                (connection,) = await self._connected(1)
                session = await asyncio.wait_for(self._shaken(connection), ANSWER_S)
                connection.close()
            self._calls.append(self.place.call(session))

    async def _shaken(self, connection: Connection) -> str | None:
        place = self.place
        params = {"protocolVersion": place.era, "capabilities": {}, "clientInfo": CLIENT}
        hello = place.message("initialize", params, 1)
        said = json.loads(message_in(await connection.ask(place.request(hello, first=True))))
        if said.get("result", {}).get("protocolVersion") != place.era:
            raise ConnectionError(f"{place.url} does not speak {place.era}: {said}")
        session = connection.headers.get("mcp-session-id")
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await connection.ask(place.request(ready, session))
        return session

    async def load(self, in_flight: int, seconds: float) -> Load:
        """Calls on so many clients at once. Connections are made anew: a server hangs up on who
        is idle."""
        connections = await self._connected(in_flight)
        latencies: list[float] = []
        began = time.perf_counter()
        work = (
            self._calling(connection, parts, latencies, began + seconds)
            for connection, parts in zip(connections, self._calls, strict=False)
        )
        wrong = await asyncio.wait_for(asyncio.gather(*work), seconds + ANSWER_S)
        took_s = time.perf_counter() - began
        for connection in connections:
            connection.close()
        return Load(calls=len(latencies), errors=sum(wrong), took_s=took_s, latencies=latencies)

    async def _connected(self, connections: int) -> list[Connection]:
        split = urlsplit(self.place.url)
        connect: Callable[..., Awaitable[Any]] = asyncio.get_running_loop().create_connection
        made = [await connect(Connection, split.hostname, split.port) for _ in range(connections)]
        return [connection for _, connection in made]

    async def _calling(
        self, connection: Connection, parts: list[bytes], latencies: list[float], until: float
    ) -> int:
        """How many answers were wrong."""
        wrong, now = 0, time.perf_counter()
        while not latencies or now < until:
            self._next = id = self._next + 1
            body = await connection.ask((b"%d" % id).join(parts))
            if not _right(body, id):
                self.last_wrong = body
                wrong += 1
            began, now = now, time.perf_counter()
            latencies.append(now - began)
        return wrong


def _right(body: bytes, id: int) -> bool:
    """Whether this is the answer to that call: its id, and the text that it sent."""
    try:
        answer = _answers.decode(message_in(body))
    except msgspec.MsgspecError:
        return False
    result = answer.result
    texts = [each.text for each in result.content]
    return answer.id == id and not result.is_error and texts == [str(id)]
