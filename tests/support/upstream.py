"""The fixture server, run for a test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

COMMAND = [sys.executable, "-m", "tests.support.mcpserver"]
"""What starts it; `--stdio` and `--era` may follow."""
START_S = 20


@asynccontextmanager
async def fixture_server(*options: str) -> AsyncIterator[str]:
    """The URL of a server of our own, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        yield line.decode().strip()
    finally:
        # It would wait for those who are still connected.
        process.kill()
        await process.wait()
