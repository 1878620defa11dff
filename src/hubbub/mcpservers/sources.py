"""Whoever says which servers there are, or which run; and how they are asked over HTTP."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from hubbub.kernel.errors import HubError, Invalid, TimedOut, TooLarge, Unavailable
from hubbub.mcpservers.model import Transport
from hubbub.mcpservers.snapshots import RegistrySnapshot, Tool, WorkloadSnapshot, tools_of

DOCUMENT_BYTES_MAX: Final = 64 * 1024 * 1024
ANSWER_S: Final = 60.0
TOOLS_S: Final = 20.0
CHUNK: Final = 256 * 1024
YAML_NODES_MAX: Final = 2_000_000


class RegistrySource(Protocol):
    """Says which servers can be had."""

    name: str

    async def snapshot(self) -> RegistrySnapshot | None:
        """What it has now, or what changed; None if nothing has since it was last asked.

        Raises:
            HubError: says why it cannot be told.
        """

    def accepted(self) -> None:
        """What it said last is in the rows, and need not be said again."""


class WorkloadSource(Protocol):
    """Says which servers run."""

    name: str

    async def snapshot(self) -> WorkloadSnapshot:
        """What runs now.

        Raises:
            HubError: says why it cannot be told.
        """


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Where a server that runs is reached."""

    name: str
    url: str
    transport: Transport


Lister = Callable[[Reached], Awaitable[Sequence[object]]]
"""Asks a server for its tools, all pages of them."""


async def listed(
    lister: Lister | None, reached: Reached | None, refused: list[str]
) -> tuple[Tool, ...] | None:
    """The tools of a server that runs; None if they cannot be told now, and then `refused` says
    why."""
    if lister is None or reached is None:
        return None
    try:
        async with asyncio.timeout(TOOLS_S):
            said = await lister(reached)
    except TimeoutError:
        refused.append(f"{reached.name}: no tools in time")
        return None
    except HubError as error:
        refused.append(f"{reached.name}: {error.message}")
        return None
    tools, unfit = tools_of(said)
    refused.extend(f"{reached.name}: {why}" for why in unfit)
    return tools


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an HTTP server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@asynccontextmanager
async def session() -> AsyncIterator[Any]:
    """A client for as long as one source is asked."""
    # A hub that asks nobody starts without it.
    aiohttp = importlib.import_module("aiohttp")
    timeout = aiohttp.ClientTimeout(total=ANSWER_S, connect=10)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        yield client


async def ask(
    client: Any,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    follow: bool = True,
) -> Answer:
    """GET, bounded in time and in size.

    Args:
        follow: go where it is sent on to; not with headers that are meant for nobody else.

    Raises:
        Unavailable: if there is no answer, or one that the server could not give.
        TimedOut: if it does not come in time.
        TooLarge: if there is no end to it.
    """
    aiohttp = importlib.import_module("aiohttp")
    try:
        async with client.get(
            url, headers=headers, params=query, allow_redirects=follow, max_redirects=5
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK):
                body += chunk
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise TooLarge("the document is too large", maximum=DOCUMENT_BYTES_MAX)
    except TimeoutError as error:
        raise TimedOut(f"no answer from {_origin(url)} in time") from error
    except (aiohttp.ClientError, ValueError, OSError) as error:
        raise Unavailable(f"{_origin(url)} cannot be asked: {_said(error)}") from error
    if response.status >= 400 or (response.status >= 300 and response.status != 304):
        raise Unavailable(f"{_origin(url)} answered {response.status}", status=response.status)
    return Answer(status=response.status, headers=response.headers, body=bytes(body))


async def ask_json(client: Any, url: str, **more: Any) -> object:
    """GET what is JSON.

    Raises:
        Invalid: if it is not; as `ask` otherwise.
    """
    answer = await ask(client, url, **more)
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"{_origin(url)} did not answer with JSON") from error


async def decoded(body: bytes) -> object:
    """A document in JSON or YAML, beside the loop: it may be large.

    Raises:
        Invalid: if it is neither.
    """
    return await asyncio.to_thread(decode, body)


def decode(body: bytes) -> object:
    """
    Raises:
        Invalid: if it is neither JSON nor YAML, or YAML that unfolds without end.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    yaml = importlib.import_module("yaml")
    try:
        loaded: object = yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Invalid("the document is neither JSON nor YAML") from error
    return _plain(loaded, [YAML_NODES_MAX])


def _plain(value: object, left: list[int], depth: int = 0) -> object:
    """What JSON can say of what YAML said. References unfold, so it is counted on the way."""
    left[0] -= 1
    if left[0] < 0 or depth > 200:
        raise Invalid("the document unfolds into too much")
    if isinstance(value, dict):
        return {str(key): _plain(each, left, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, left, depth + 1) for each in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)  # a date, which JSON does not know


def _origin(url: str) -> str:
    """Whom it asks, without what the URL may hold besides."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
