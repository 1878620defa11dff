"""Workloads of a ToolHive, asked over its API."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from hubbub.kernel.errors import HubError, Invalid, TimedOut, Unavailable
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import Status, Transport
from hubbub.mcpservers.snapshots import WorkloadEntry, WorkloadSnapshot, fit
from hubbub.mcpservers.sources import Lister, Reached, ask_json, listed, session

PORTS: Final = range(50_000, 50_101)
"""Where ToolHive listens if nobody says otherwise."""
VERSION_S: Final = 2.0
AT_ONCE: Final = 8
PROBES_AT_ONCE: Final = 32
ATTEMPTS: Final = 4
PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 8.0
WORKLOADS_MAX: Final = 10_000

T = TypeVar("T")

_STATUSES: Final[dict[str, Status]] = {
    "running": "running",
    "error": "error",
    "unhealthy": "error",
    "unauthenticated": "error",
}
_TRANSPORTS: Final[dict[str, Transport]] = {
    "sse": "sse", "streamable-http": "streamable-http", "stdio": "streamable-http",
}  # fmt: skip


class Listed(msgspec.Struct):
    """A workload in the list."""

    name: str
    package: str = ""
    url: str = ""
    status: str = ""
    transport_type: str = ""
    proxy_mode: str = ""
    group: str = ""
    remote: bool = False


class Detailed(msgspec.Struct):
    """What the list does not say of a remote one: where it really is."""

    url: str = ""


class ToolHive:
    """A ToolHive on this or another machine."""

    def __init__(
        self,
        name: str,
        host: str = "127.0.0.1",
        port: int | None = None,
        tools_of: Lister | None = None,
    ) -> None:
        """
        Args:
            port: found among the usual ones by default.
            tools_of: asks a workload for its tools; without, which it has is not known.
        """
        self.name = name
        self._host = host
        self._port = port
        self._found: int | None = None
        self._tools_of = tools_of

    async def snapshot(self) -> WorkloadSnapshot:
        """What runs there now, and what does not."""
        async with session() as client:
            said = await self._patiently(
                lambda base: ask_json(
                    client, f"{base}/api/v1beta/workloads", query={"all": "true"}
                ),
                client,
            )
            items, unread, refused = _items(said)
            turns = asyncio.Semaphore(AT_ONCE)
            found = await asyncio.gather(
                *(self._entry(client, turns, item, refused) for item in items)
            )
        return WorkloadSnapshot(
            source=self.name,
            workloads=tuple(each for each in found if each is not None),
            unclear=frozenset(unread)
            | {item.name for item, each in zip(items, found, strict=True) if each is None},
            refused=tuple(refused),
        )

    async def _entry(
        self, client: Any, turns: asyncio.Semaphore, item: Listed, refused: list[str]
    ) -> WorkloadEntry | None:
        """A workload; None if this time it cannot be told what it is."""
        async with turns:
            try:
                identity = await self._identity(client, item)
                status = _STATUSES.get(item.status.lower(), "stopped")
                transport = _transport(item)
                reached = Reached(name=item.name, url=item.url, transport=transport)
                runs = status == "running" and item.url
                entry = WorkloadEntry(
                    workload_name=item.name,
                    name=item.name,
                    identity=identity,
                    transport=transport,
                    status=status,
                    url=item.url or None,
                    group=item.group or "default",
                    tools=await listed(self._tools_of, reached if runs else None, refused),
                )
                fit(entry)
            except HubError as error:
                refused.append(f"{item.name}: {error.message}")
                return None
            return entry

    async def _identity(self, client: Any, item: Listed) -> Identity:
        """The list has the proxy's URL: where a remote one really is, its details say."""
        if not item.remote and item.package:
            return Identity(remote=False, package=item.package)
        path = f"/api/v1beta/workloads/{quote(item.name, safe='')}"
        said = await ask_json(client, f"{self._base()}{path}")
        try:
            url = msgspec.convert(said, Detailed).url
        except msgspec.ValidationError as error:
            raise Invalid("its details cannot be read") from error
        if not url:
            raise Invalid("it has neither a package nor a URL")
        return Identity(remote=True, url=url)

    async def _patiently(self, ask: Callable[[str], Awaitable[T]], client: Any) -> T:
        """Ask again a few times, and look for the port again in between: it changes when ToolHive
        is started anew."""
        for attempt in range(ATTEMPTS):
            try:
                await self._discover(client)
                return await ask(self._base())
            except (Unavailable, TimedOut):
                self._found = None
                if attempt == ATTEMPTS - 1:
                    raise
            pause_s = min(PAUSE_S * 2**attempt, PAUSE_S_MAX)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt returns or raises")

    async def _discover(self, client: Any) -> None:
        if self._port is not None or self._found is not None:
            return
        found = [each for each in await asyncio.gather(*map(self._probe(client), PORTS)) if each]
        if not found:
            raise Unavailable(f"no ToolHive answers at {self._host}", ports=[PORTS[0], PORTS[-1]])
        # Several may run side by side while one replaces the other.
        self._found = max(found)[1]

    def _probe(self, client: Any) -> Callable[[int], Awaitable[tuple[tuple[int, ...], int] | None]]:
        turns = asyncio.Semaphore(PROBES_AT_ONCE)

        async def probe(port: int) -> tuple[tuple[int, ...], int] | None:
            async with turns:
                try:
                    async with asyncio.timeout(VERSION_S):
                        said = await ask_json(client, f"{self._at(port)}/api/v1beta/version")
                except (HubError, TimeoutError):
                    return None
            version = said.get("version") if isinstance(said, dict) else None
            return None if version is None else (_version(str(version)), port)

        return probe

    def _base(self) -> str:
        port = self._port if self._port is not None else self._found
        if port is None:
            raise Unavailable(f"no ToolHive answers at {self._host}")
        return self._at(port)

    def _at(self, port: int) -> str:
        return f"http://{self._host}:{port}"


def _items(said: object) -> tuple[list[Listed], list[str], list[str]]:
    """The workloads in a list, and the names of those that cannot be read, and why: one such is
    not the end of the others."""
    workloads = said.get("workloads") if isinstance(said, dict) else said
    if workloads is None:
        return [], [], []
    if not isinstance(workloads, list):
        raise Invalid("that is no list of workloads")
    items: dict[str, Listed] = {}
    unread: list[str] = []
    refused: list[str] = []
    for each in workloads[:WORKLOADS_MAX]:
        try:
            item = msgspec.convert(each, Listed)
        except msgspec.ValidationError as error:
            name = each.get("name") if isinstance(each, dict) else None
            refused.append(f"{name or 'a workload'}: {error}")
            if isinstance(name, str):
                unread.append(name)
        else:
            items[item.name] = item
    return list(items.values()), unread, refused


def _transport(item: Listed) -> Transport:
    """How the proxy is spoken to: what stands behind it may speak stdio."""
    kind = item.proxy_mode or item.transport_type
    if item.url.partition("#")[0].rstrip("/").endswith("/sse"):
        return "sse"
    return _TRANSPORTS.get(kind, "streamable-http")


def _version(text: str) -> tuple[int, ...]:
    numbers = text.strip("v").partition("-")[0].split(".")
    return tuple(int(each) if each.isdigit() else 0 for each in numbers)
