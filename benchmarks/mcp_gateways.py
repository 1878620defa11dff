"""Gateways of others between a client and the echo server, each in an environment of its own."""

import asyncio
import json
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.hubs import folder, sqlite
from benchmarks.mcp_client import LEGACY, NEWER, Place
from benchmarks.processes import ROOT, Process
from tests.support.outside import environment
from tests.support.services import Unavailable

REQUIREMENTS: Final = ROOT / "requirements"
PYTHONS: Final = ("python3.14", "python3.13", "python3.12")
"""ContextForge gives its newest version to these alone."""
STARTS_S: Final = 90
SECRETS: Final = (
    "JWT_SECRET_KEY",
    "AUTH_ENCRYPTION_SECRET",
    "BASIC_AUTH_PASSWORD",
    "PLATFORM_ADMIN_PASSWORD",
    "DEFAULT_USER_PASSWORD",
)
"""What ContextForge does not start without."""
ADMIN: Final = "admin@example.com"


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A process, and where to call it."""

    name: str
    process: Process
    places: tuple[Place, ...]


async def gateways(url: str, stack: ExitStack) -> list[Gateway]:
    """Those of others that can be had here. Of the others it is said why not."""
    found: list[Gateway] = []
    for name, begin in (("FastMCP", _fastmcp), ("ContextForge", _contextforge)):
        try:
            found += await begin(url, stack)
        except (Unavailable, aiohttp.ClientError, TimeoutError) as error:
            print(f"(left out, {name}: {error!r})")
    return found


async def _fastmcp(url: str, stack: ExitStack) -> list[Gateway]:
    home = await asyncio.to_thread(environment, "fastmcp", REQUIREMENTS / "fastmcp.txt")
    version = _version(home, "fastmcp")
    script = str(ROOT / "benchmarks" / "fastmcp_proxy.py")
    begun = partial(_begun, stack, str(home / "bin" / "python"), "-P", script, url)
    process = begun()
    both = tuple(Place(url=process.said["url"], era=era) for era in (LEGACY, NEWER))
    made = [Gateway(name=f"FastMCP {version} proxy", process=process, places=both)]
    for era, mode in ((LEGACY, "legacy"), (NEWER, NEWER)):
        process = begun(mode)
        place = Place(url=process.said["url"], era=era)
        name = f"FastMCP {version} proxy, one shared session"
        made.append(Gateway(name=name, process=process, places=(place,)))
    return made


def _begun(stack: ExitStack, *command: str) -> Process:
    try:
        return stack.enter_context(Process(*command))
    except RuntimeError as error:
        raise Unavailable(str(error)) from error


async def _contextforge(url: str, stack: ExitStack) -> list[Gateway]:
    lock = REQUIREMENTS / "contextforge.txt"
    home = await asyncio.to_thread(environment, "contextforge", lock, _newest_python())
    version = _version(home, "mcp-contextforge-gateway")
    eras = (LEGACY,) if version.startswith("1.0.") else (LEGACY, NEWER)
    made = []
    for stateful in (False, True):
        process, base, settings = _forge(home, stack, stateful=stateful)
        key = await asyncio.to_thread(_key, home, settings)
        server = await _registered(process, base, key, url)
        headers = {"Authorization": f"Bearer {key}"}
        places = tuple(Place(url=server, era=era, tool="up-echo", headers=headers) for era in eras)
        name = f"ContextForge {version}" + (", USE_STATEFUL_SESSIONS" if stateful else "")
        made.append(Gateway(name=name, process=process, places=places))
    return made


def _forge(home: Path, stack: ExitStack, *, stateful: bool) -> tuple[Process, str, dict[str, str]]:
    """ContextForge on SQLite, with keys of its own and no limit to how often it is asked, that may
    reach servers on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = {
        **{name: f"{secrets.token_urlsafe(40)}!aA1" for name in SECRETS},
        "PLATFORM_ADMIN_EMAIL": ADMIN,
        "DATABASE_URL": sqlite(stack.enter_context(folder())),
        "CACHE_TYPE": "memory",
        "LOG_LEVEL": "ERROR",
        "RATE_LIMITING_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true",
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
        "USE_STATEFUL_SESSIONS": str(stateful).lower(),
    }
    serve = ("-m", "uvicorn", "mcpgateway.main:app", "--no-access-log", "--log-level", "error")
    process = Process(
        *(str(home / "bin" / "python"), *serve, "--port", port),
        environment=settings,
        speaks=False,
    )
    return stack.enter_context(process), f"http://127.0.0.1:{port}", settings


def _key(home: Path, settings: dict[str, str]) -> str:
    words = ("-m", "mcpgateway.utils.create_jwt_token", "-u", ADMIN, "--admin", "-e", "600")
    return _said(home, *words, environment=settings)


async def _registered(process: Process, base: str, key: str, url: str) -> str:
    """The URL at which it has the tools of this server."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(base, headers=headers) as web:

        async def ask(path: str, body: dict[str, Any] | None = None) -> Any:
            async with web.request("GET" if body is None else "POST", path, json=body) as answer:
                said = await answer.text()
                if answer.status >= 400:
                    raise Unavailable(f"ContextForge answered {answer.status}: {said[:200]}")
                return json.loads(said)

        await _started(process, web)
        await ask("/gateways", {"name": "up", "url": url, "transport": "STREAMABLEHTTP"})
        (tool,) = await ask("/tools")
        server = {"name": "bench", "associated_tools": [tool["id"]]}
        made = await ask("/servers", {"server": server})
        return f"{base}/servers/{made['id']}/mcp"


async def _started(process: Process, web: aiohttp.ClientSession) -> None:
    try:
        async with asyncio.timeout(STARTS_S):
            while process.alive:
                try:
                    async with web.get("/health") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.2)
    except TimeoutError:
        pass
    raise Unavailable("ContextForge did not start")


def _version(home: Path, package: str) -> str:
    return _said(home, "-c", f"from importlib.metadata import version as v; print(v({package!r}))")


def _said(home: Path, *words: str, environment: dict[str, str] | None = None) -> str:
    """The last line that a program in this environment prints."""
    command = [str(home / "bin" / "python"), *words]
    try:
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=STARTS_S
        )
        return done.stdout.splitlines()[-1]
    except (subprocess.SubprocessError, IndexError) as error:
        raise Unavailable(f"{' '.join(words[:2])}: {error}") from error


def _newest_python() -> str:
    return next(_pythons(), sys.executable)


def _pythons() -> Iterator[str]:
    for name in PYTHONS:
        path = shutil.which(name)
        # What stands on the path may be a mere stand-in for a Python that is not there.
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            yield path
