"""MCP servers that are a command: a line on standard input and output for each message."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio

from hubbub.kernel.errors import Invalid
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.mcp import RequestId
from hubbub.services.model import McpServer
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.messages import Incoming, Lines, Overlong, id_in, incoming
from hubbub.upstreams.mcp.wire import Heard, Pending, lost, unreachable

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 64 * 1024
GRACE_S: Final = 2.0
"""How long a server may take to end once its input is closed, and again once it is asked to."""

# What a program needs to find others and to speak. What else the hub was started with is its own.
PASSED_ON: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LC_ALL", "TZ")


class StdioWire:
    """The pipes of one child process."""

    plain = True

    def __init__(
        self, server: str, process: asyncio.subprocess.Process, heard: Heard, logs: Logs
    ) -> None:
        self.lost = asyncio.Event()
        self._server = server
        self._process = process
        self._heard = heard
        self._logs = logs
        self._pending = Pending(server)

    async def exchange(
        self, id: RequestId, message: bytes, headers: Mapping[str, str], heard: Heard
    ) -> Incoming:
        answer = self._pending.opened(id, heard)
        try:
            await self._write(message)
            return await answer
        finally:
            self._pending.closed(id)

    async def tell(self, message: bytes) -> None:
        await self._write(message)

    async def listen(self) -> None:
        """It all comes in one stream."""

    def greeted(self, version: str | None) -> None:
        """A pipe says it nowhere."""

    async def _write(self, message: bytes) -> None:
        stdin = self._process.stdin
        if self.lost.is_set() or stdin is None or stdin.is_closing():
            raise unreachable(self._server, "it has ended")
        stdin.write(message + b"\n")
        try:
            await stdin.drain()
        except OSError as error:
            raise lost(self._server) from error

    async def read(self) -> None:
        """Take what the server says, until it ends."""
        assert self._process.stdout is not None
        lines = Lines(FRAME_BYTES_MAX)
        try:
            while chunk := await self._process.stdout.read(CHUNK_BYTES):
                for line in lines.fed(chunk):
                    self._take(line)
        finally:
            self.lost.set()
            self._pending.lost()

    async def read_errors(self) -> None:
        """Keep what the server says to its operator."""
        assert self._process.stderr is not None
        lines = Lines(CHUNK_BYTES)
        while chunk := await self._process.stderr.read(CHUNK_BYTES):
            for line in lines.fed(chunk):
                told = line.start if isinstance(line, Overlong) else line
                self._logs.add("stderr", told.decode("utf-8", "replace"))

    def _take(self, line: bytes | Overlong) -> None:
        if isinstance(line, Overlong):
            self._logs.add("hub", f"a message of {line.size} bytes was passed over")
            self._pending.too_large(id_in(line.start, line.end))
            return
        try:
            messages = incoming(line)
        except Invalid:
            # Programs print, and what they print is of use to whoever looks for a fault.
            self._logs.add("stdout", line[:500].decode("utf-8", "replace"))
            return
        for message in messages:
            if not self._pending.take(message):
                self._heard(message)


@asynccontextmanager
async def stdio(
    server: str, config: McpServer, heard: Heard, logs: Logs
) -> AsyncIterator[StdioWire]:
    """A server that runs until the block is left; then it and all that it started are ended.

    Raises:
        Unavailable: if it cannot be started.
    """
    assert config.command is not None
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            config.command,
            *config.args,
            cwd=config.cwd,
            env={**passed_on, **config.env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise unreachable(server, f"{config.command} cannot be run: {error}") from error
    logs.add("hub", f"started as process {process.pid}")
    wire = StdioWire(server, process, heard, logs)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.read)
            tasks.start_soon(wire.read_errors)
            try:
                yield wire
            finally:
                wire.lost.set()
                with anyio.CancelScope(shield=True):
                    await _end(process)
                tasks.cancel_scope.cancel()
    finally:
        logs.add("hub", f"process {process.pid} ended with {process.returncode}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """As the protocol asks: close its input, ask it to end, end it. And all of its children."""
    if process.stdin is not None:
        process.stdin.close()
    for ask in (None, signal.SIGTERM):
        if process.returncode is not None:
            break
        if ask is not None:
            _signal(process, ask)
        with anyio.move_on_after(GRACE_S):
            await process.wait()
    # What it left running would outlive the hub.
    _signal(process, signal.SIGKILL)
    with anyio.move_on_after(GRACE_S):
        await process.wait()


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, which)
