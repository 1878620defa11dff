"""dev.proc: running the programs that the owner of the machine has listed."""

import asyncio
import codecs
import errno
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hubbub.client import AccessDenied, NotFound, TimedOut, TooLarge
from hubbub.devspoke.children import CHUNK_BYTES, Child, child, environment
from hubbub.devspoke.refusals import misfit
from hubbub.devspoke.root import Root

OUTPUT_BYTES_MAX = 16 * 1024 * 1024

Stream = Literal["stdout", "stderr"]


class Chunk(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Some output, `{stream, text}`, or the last one, `{exitCode}`."""

    stream: Stream | None = None
    text: str | None = None
    exit_code: int | None = None
    """Minus the signal, if one ended it."""


class Programs:
    """What `dev.proc` does. It starts in the root; what it does then is the program's affair."""

    def __init__(self, root: Root, allowed: Sequence[str]) -> None:
        for name in allowed:
            if "/" in name or not name:
                raise ValueError(f"{name!r} is not the bare name of a program")
        self._root = root
        self._allowed = tuple(allowed)

    async def run(
        self,
        program: str,
        args: list[str] = [],  # noqa: B006  msgspec copies it, and it is part of the schema
        path: str = ".",
        timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 600,
    ) -> AsyncIterator[Chunk]:
        """Run a program of the spoke's list, and stream what it says until it exits.

        It runs in the folder `path`, without a shell, a terminal or an input. Aborting the call or
        reaching `timeoutS` kills it and what it started. Up to 16 MiB of output.
        """
        command = [self._found(program), *args]
        if any("\0" in arg for arg in args):
            raise misfit("args", "text without \\0", "\\0")
        where = self._root.located(path)
        ends = time.monotonic() + timeout_s
        async with AsyncExitStack() as leaving:
            folder = leaving.enter_context(self._root.folder(where))
            with _fitting():
                running = await leaving.enter_async_context(
                    child(command, folder=folder, environment=environment(TERM="dumb"))
                )
            said = await leaving.enter_async_context(aclosing(_said(running, ends)))
            try:
                async for chunk in said:
                    yield chunk
                yield Chunk(exit_code=await _exited(running, ends))
            except TimeoutError:
                raise TimedOut("the program took too long", timeoutS=timeout_s) from None

    def _found(self, program: str) -> str:
        if program not in self._allowed:
            raise AccessDenied(
                "the program is not on the list", program=program, allowed=list(self._allowed)
            )
        found = shutil.which(program)
        if found is None:
            raise NotFound("the program is not installed", program=program)
        return found


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise misfit("args", "no more than the machine takes", "more") from error
        raise


async def _said(running: Child, ends: float) -> AsyncGenerator[Chunk, None]:
    """What both streams say, as it comes; nothing is read ahead, so a slow reader slows it."""
    readers: dict[Stream, asyncio.StreamReader] = {
        "stdout": running.stdout,
        "stderr": running.stderr,
    }
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in readers}
    steps = {_step(reader): name for name, reader in readers.items()}
    said = 0
    try:
        while steps:
            left_s = ends - time.monotonic()
            done, _ = await asyncio.wait(steps, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            # One that always has more to say is never waited for.
            if not done or left_s <= 0:
                raise TimeoutError
            for step in done:
                name = steps.pop(step)
                data = step.result()
                said += len(data)
                if said > OUTPUT_BYTES_MAX:
                    raise TooLarge("the program said too much", bytesMax=OUTPUT_BYTES_MAX)
                if data:
                    steps[_step(readers[name])] = name
                if text := decoders[name].decode(data, final=not data):
                    yield Chunk(stream=name, text=text)
    finally:
        for step in steps:
            step.cancel()


async def _exited(running: Child, ends: float) -> int:
    """Its exit code. A program may have closed both streams long before it ends."""
    async with asyncio.timeout(ends - time.monotonic()):
        return await running.exited()


def _step(reader: asyncio.StreamReader) -> asyncio.Task[bytes]:
    return asyncio.create_task(reader.read(CHUNK_BYTES))
