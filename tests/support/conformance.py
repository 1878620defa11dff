"""The conformance suite of MCP, as tests ask it."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from tests.support.outside import Node

PACKAGE = "@modelcontextprotocol/conformance"
STAMP = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d+Z$")
RUN_S = 240
CLIENTS_AT_ONCE = 2
AGENT = Path(__file__).parents[1] / "outside" / "agent.py"
"""A client for the suite to start."""
GOOD = {
    "server": ("SUCCESS", "SKIPPED", "INFO", "WARNING"),
    # A client that only may do what it should is one that does not do it.
    "client": ("SUCCESS", "SKIPPED", "INFO"),
}

Failed = dict[str, list[str]]
"""By scenario, what failed in it and how; empty where all is well."""


def required(node: Node, revision: str, role: str) -> list[str]:
    """The scenarios that a revision wants a `server` or a `client` to pass."""
    folder = node.folder / "node_modules" / PACKAGE / "requirements"
    names: list[str] = yaml.safe_load((folder / f"{revision}.yaml").read_text())[role]
    return names


async def run_server(node: Node, revision: str, folder: Path, url: str) -> Failed:
    """Every scenario for the server at `url`, required or not, with what failed in it."""
    await _run(node, "server", "--requirements", revision, "--url", url, folder=folder)
    return _found(folder, "server")


async def run_client(
    node: Node,
    revision: str | None,
    folder: Path,
    command: str,
    scenarios: Sequence[str],
    environment: Mapping[str, str],
) -> Failed:
    """These scenarios for the client that `command` starts, with what failed in each. Those of
    extensions belong to no revision.

    By itself the suite would start all of them at once.
    """
    few = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def one(scenario: str) -> None:
        version = () if revision is None else ("--spec-version", revision)
        chosen = ("--scenario", scenario, *version, "--command", command)
        async with few:
            await _run(node, "client", *chosen, folder=folder, environment=environment)

    async with asyncio.TaskGroup() as all:
        for scenario in scenarios:
            all.create_task(one(scenario))
    return _found(folder, "client")


async def _run(
    node: Node,
    role: str,
    *options: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    process = await asyncio.create_subprocess_exec(
        *node.command(PACKAGE),
        role,
        "-o",
        str(folder),
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(RUN_S):
            # It ends with 1 where a scenario fails; which one, its files say.
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _found(folder: Path, role: str) -> Failed:
    return {_scenario(path, role): _failures(path, role) for path in folder.rglob("checks.json")}


def _scenario(path: Path, role: str) -> str:
    """Which one it is: a folder is named by it and by the time, and one with a slash is in two."""
    name = STAMP.sub("", path.parent.name)
    outer = path.parent.parent.name
    name = name.removeprefix("server-") if role == "server" else name
    return f"{outer}/{name}" if outer in ("auth", "server-auth") else name


def _failures(path: Path, role: str) -> list[str]:
    checks: list[dict[str, Any]] = json.loads(path.read_text())
    return [
        f"{check['id']}: {check.get('errorMessage') or check['description']}"
        for check in checks
        if check["status"] not in GOOD[role]
    ]


@asynccontextmanager
async def introduced(url: str, key: str) -> AsyncIterator[str]:
    """The URL of one who passes everything on to `url`, and says who it comes from.

    The suite knows of no keys. Nothing else is changed, so that what it sees is the hub.
    """
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        task.add_done_callback(talks.discard)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            there_reader, there_writer = await asyncio.open_connection(name, int(port))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        there_writer.write(_with_key(head, key))
        asking = asyncio.ensure_future(_pass_on(reader, there_writer))
        try:
            await _pass_on(there_reader, writer)
        finally:
            asking.cancel()
            there_writer.close()
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{path}"
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def _with_key(head: bytes, key: str) -> bytes:
    """One call to a connection, so that there is one head to change."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    added = [b"Connection: close", f"Authorization: Bearer {key}".encode()]
    return b"\r\n".join([first, *kept, *added, b"", b""])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
