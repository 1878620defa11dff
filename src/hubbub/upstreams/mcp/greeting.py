"""Finding out which era a server is of, and greeting it accordingly.

An answer to `server/discover` that lists the newer revision is the only sign of the newer era.
What goes wrong on the way there says nothing about it, so then hands are shaken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio
import msgspec
from msgspec import Raw

from hubbub.kernel.errors import ExecutionFailed, Unavailable
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.mcp import HANDSHAKE, MODERN, UNSUPPORTED_VERSION, RpcError
from hubbub.services.model import McpServer
from hubbub.upstreams.mcp.session import CAPABILITIES, CLIENT, Era, Greeting, Session

PROBE_S: Final = 5.0
"""A server that does not know the question may not answer it at all."""

NOBODY: Final = Greeting(era="legacy", version="", capabilities={}, info={}, instructions=None)
PROBE: Final = Greeting(era="modern", version=MODERN, capabilities={}, info={}, instructions=None)


@dataclass(kw_only=True)
class Known:
    """What earlier connections have shown of a server."""

    era: Era | None = None


async def greeted(session: Session, config: McpServer, known: Known) -> Greeting:
    """Greet a server.

    Raises:
        RpcError: it refuses.
        Unavailable: it cannot be talked to.
        ExecutionFailed: it left.
    """
    if config.transport != "sse" and known.era != "legacy":
        found = await _discovered(session, config, known)
        if found is not None:
            known.era = "modern"
            return found
    session.greeting = NOBODY
    session.wire.greeted(None)
    found = await _shaken(session)
    known.era = "legacy"
    return found


async def _discovered(session: Session, config: McpServer, known: Known) -> Greeting | None:
    session.greeting = PROBE
    session.wire.greeted(MODERN)
    try:
        with anyio.move_on_after(min(PROBE_S, config.connect_timeout_s / 2)):
            return _modern(await _asked(session))
    except RpcError as error:
        if error.code == UNSUPPORTED_VERSION:
            _check_common(session.server, error.data)
    except ExecutionFailed:
        if session.wire.lost.is_set():
            # It could not bear the question. Next time it is not asked.
            known.era = "legacy"
            raise
    return None


async def _asked(session: Session) -> Raw:
    """What a server discovers, asked once more if it refused what it then says that it supports."""
    try:
        return await session.request("server/discover", {})
    except RpcError as error:
        if error.code != UNSUPPORTED_VERSION or MODERN not in _supported(error.data):
            raise
        return await session.request("server/discover", {})


def _modern(raw: Raw) -> Greeting | None:
    found = _object(raw)
    versions = found.get("supportedVersions")
    if not isinstance(versions, list) or MODERN not in versions:
        return None
    meta = found.get("_meta")
    info = meta.get("io.modelcontextprotocol/serverInfo") if isinstance(meta, dict) else None
    return _greeting("modern", MODERN, {**found, "serverInfo": info or found.get("serverInfo")})


def _check_common(server: str, data: object) -> None:
    supported = _supported(data)
    if supported and not set(supported) & {MODERN, *HANDSHAKE}:
        raise Unavailable(
            f"{server} speaks no revision of MCP that the hub speaks",
            server=server,
            supported=supported[:10],
        )


def _supported(data: object) -> list[str]:
    """The revisions that a refusal names; none if it names none."""
    supported = data.get("supported") if isinstance(data, dict) else None
    return [str(each) for each in supported] if isinstance(supported, list) else []


async def _shaken(session: Session) -> Greeting:
    offered = {
        "protocolVersion": HANDSHAKE[-1],
        "capabilities": CAPABILITIES,
        "clientInfo": CLIENT,
    }
    found = _object(await session.request("initialize", offered))
    version = found.get("protocolVersion")
    if version not in HANDSHAKE:
        raise Unavailable(
            f"{session.server} speaks another revision of MCP",
            server=session.server,
            version=str(version)[:100],
        )
    session.wire.greeted(version)
    await session.notify("notifications/initialized")
    return _greeting("legacy", version, found)


def _greeting(era: Era, version: str, found: Mapping[str, Any]) -> Greeting:
    capabilities, info = found.get("capabilities"), found.get("serverInfo")
    instructions = found.get("instructions")
    return Greeting(
        era=era,
        version=version,
        capabilities=capabilities if isinstance(capabilities, dict) else {},
        info=info if isinstance(info, dict) else {},
        instructions=instructions if isinstance(instructions, str) else None,
    )


def _object(raw: Raw) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}
