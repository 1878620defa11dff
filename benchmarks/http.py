"""A call over HTTP, beside a route that does nothing."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.peers import Load, percentile
from benchmarks.processes import Process, command
from benchmarks.tables import Budget, number, table

IN_FLIGHT: Final = 16
PATH: Final = "/v1/account/me"


class Connection(asyncio.Protocol):
    """One request at a time, without more HTTP than that takes."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = cycle(requests)
        self._received = b""
        self._started = 0.0
        self._until = 0.0
        self.latencies: list[float] = []
        self.errors = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def load(self, until: float) -> asyncio.Future[None]:
        """Ask until then; done when the last answer has come."""
        self.latencies, self.errors, self._until = [], 0, until
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ask()
        return self._done

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        if len(body) < int(head[at:].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        self.errors += not head.startswith(b"HTTP/1.1 200")
        now = time.perf_counter()
        self.latencies.append(now - self._started)
        if now < self._until:
            self._ask()
        else:
            self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the hub hung up"))

    def close(self) -> None:
        self._transport.close()

    def _ask(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(next(self._requests))


class Client:
    """Connections that ask at the same time."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections

    @classmethod
    async def connect(cls, url: str, requests: Sequence[bytes], connections: int) -> "Client":
        host, _, port = urlsplit(url).netloc.rpartition(":")
        connect = asyncio.get_running_loop().create_connection
        made = [
            await connect(lambda: Connection(requests), host, int(port)) for _ in range(connections)
        ]
        return cls([connection for _, connection in made])

    async def load(self, in_flight: int, seconds: float) -> Load:
        """As many requests in flight as connections, up to all of them."""
        used = self._connections[:in_flight]
        began = time.perf_counter()
        await asyncio.wait_for(
            asyncio.gather(*(each.load(began + seconds) for each in used)), seconds + 60
        )
        latencies = [latency for each in used for latency in each.latencies]
        return Load(
            calls=len(latencies),
            errors=sum(each.errors for each in used),
            took_s=time.perf_counter() - began,
            latencies=latencies,
        )

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def request(path: str, key: str, body: bytes = b"{}") -> bytes:
    """A POST as bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """The hub and the bare route in turn."""
    rounds, seconds = (2, 0.8) if quick else (3, 2.5)
    async with AsyncExitStack() as stack:
        floor = stack.enter_context(Process(*command("benchmarks.floors", "uvicorn")))
        hub = stack.enter_context(Hub(sqlite(stack.enter_context(folder()))))
        found: dict[str, dict[str, list[float]]] = {}
        targets: dict[str, Process] = {"bare Starlette route": floor, "Hubbub, account.me": hub}
        for _ in range(rounds):
            for name, process in targets.items():
                client = await _client(process)  # anew: a server hangs up on who is idle
                values = found.setdefault(name, {"cpu_us": [], "per_s": [], "p50_us": []})
                before = process.cpu_s()
                load = await client.load(IN_FLIGHT, seconds)
                if isinstance(process, Hub):
                    await process.settled()
                values["cpu_us"].append((process.cpu_s() - before) / load.calls * 1e6)
                values["per_s"].append(load.per_s)
                assert not load.errors, f"{load.errors} of {load.calls} were refused"
                alone = await client.load(1, seconds / 2)
                values["p50_us"].append(percentile(alone.latencies, 0.5) * 1e6)
                client.close()
    figures = {
        name: {
            "cpu_us": min(values["cpu_us"]),
            "calls_per_s": max(values["per_s"]),
            "p50_us": percentile(values["p50_us"], 0.5),
        }
        for name, values in found.items()
    }
    rows = [[name, *map(number, each.values())] for name, each in figures.items()]
    table("", [f"http: POST {PATH}", "CPU us@16", "calls/s@16", "p50 us@1"], rows)
    return figures, []


async def _client(process: Process) -> Client:
    key = process.said["key"] or ""
    return await Client.connect(process.said["url"], [request(PATH, key)], IN_FLIGHT)
