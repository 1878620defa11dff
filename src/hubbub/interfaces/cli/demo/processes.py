"""The demo's other processes: started, heard, ended."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from hubbub.kernel.errors import ExecutionFailed

READY_S: Final = 30.0
END_S: Final = 10.0


@asynccontextmanager
async def command(folder: Path, name: str, *words: str) -> AsyncIterator[dict[str, Any]]:
    """`hubbub WORDS --json` as a process of its own until the block is left; its first line.

    Raises:
        ExecutionFailed: it ended instead; what it said.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hubbub", *words, "--json"),
            env=_environment(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            # Out of reach of a Ctrl-C, which is for the demo: it ends what it started, in order.
            start_new_session=True,
        )
    try:
        yield {"pid": process.pid, **await _first_line(process, name, log)}
    finally:
        await _end(process)


def _environment(folder: Path) -> dict[str, str]:
    """This one's, less what would make another hub of it, and with a place for its own keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
    return kept | own


async def _first_line(process: asyncio.subprocess.Process, name: str, log: Path) -> Any:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline()
    except TimeoutError:
        raise ExecutionFailed(f"{name} was not ready within {READY_S:.0f} s") from None
    if not line:
        raise _ended_at_once(name, log)
    return json.loads(line)


def _ended_at_once(name: str, log: Path) -> ExecutionFailed:
    return ExecutionFailed(f"{name} ended at once: {log.read_text().strip()[-500:]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask, wait, insist."""
    for ask in (process.terminate, process.kill):
        with suppress(ProcessLookupError):
            ask()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
                return
        except TimeoutError:
            continue
