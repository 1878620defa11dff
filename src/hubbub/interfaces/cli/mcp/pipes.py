"""Standard input and output, line by line, by threads: a file, a pipe and a terminal alike."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from hubbub.interfaces.cli.mcp.wire import MESSAGE_BYTES_MAX
from hubbub.kernel.errors import TooLarge

PIECE_BYTES: Final = 65_536
AHEAD_MAX: Final = 16


class Lines:
    """The lines of standard input."""

    def __init__(self, descriptor: int = 0) -> None:
        self._reader = _Reader(descriptor)

    async def ended(self) -> None:
        """Wait until there is nothing more to come, whether or not all of it was taken."""
        await self._reader.ended.wait()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """
        Raises:
            TooLarge: a line is over the bound.
        """
        rest = bytearray()
        searched = 0
        while piece := await self._reader.piece():
            rest += piece
            while (end := rest.find(b"\n", searched)) >= 0:
                line = bytes(rest[:end])
                del rest[: end + 1]
                searched = 0
                if line.strip():
                    yield line
            searched = len(rest)
            if searched > MESSAGE_BYTES_MAX:
                raise TooLarge(f"a line is over {MESSAGE_BYTES_MAX} bytes")
        if rest.strip():
            yield bytes(rest)


class _Reader:
    """A thread that reads, and is left behind where it waits when the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._came = asyncio.Event()
        self.ended = asyncio.Event()
        self._room = threading.Semaphore(AHEAD_MAX)
        # A pool would be waited for at the end, and nothing may ever come again.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def piece(self) -> bytes:
        """The next bytes; none at the end."""
        while not self._pieces:
            self._came.clear()
            await self._came.wait()
        self._room.release()
        return self._pieces.popleft()

    def _read(self) -> None:
        piece = b"begin"
        while piece:
            self._room.acquire()
            try:
                # Not through `sys.stdin`, whose lock a thread that is left behind would hold.
                piece = os.read(self._descriptor, PIECE_BYTES)
            except OSError:
                piece = b""
            try:
                self._loop.call_soon_threadsafe(self._take, piece)
            except RuntimeError:  # the loop is closed, and nobody reads any more
                return

    def _take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._came.set()
        if not piece:
            self.ended.set()


class Printer:
    """Standard output. Where nobody reads it, those that write wait, and nothing else does."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._turn = asyncio.Lock()
        self._lines: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        threading.Thread(target=self._write, name="stdout", daemon=True).start()

    async def print(self, line: bytes) -> None:
        """Print a line.

        Raises:
            BrokenPipeError: whoever read is gone.
        """
        async with self._turn:
            printed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._lines.put((line + b"\n", printed))
            await printed

    def _write(self) -> None:
        while True:
            line, printed = self._lines.get()
            rest, broken = memoryview(line), None
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                broken = BrokenPipeError(*error.args)
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                printed.get_loop().call_soon_threadsafe(_settle, printed, broken)


def _settle(printed: asyncio.Future[None], broken: BrokenPipeError | None) -> None:
    if printed.done():
        return
    if broken is None:
        printed.set_result(None)
    else:
        printed.set_exception(broken)
