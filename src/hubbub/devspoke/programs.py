"""dev.proc: running the programs that the owner of the machine has listed."""

import asyncio
import codecs
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hubbub.client import AccessDenied, NotFound, TimedOut, TooLarge
from hubbub.devspoke.children import CHUNK_BYTES, Child, child, environment
from hubbub.devspoke.refusals import not_a_path
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
            raise not_a_path("\\0")
        where = self._root.located(path)
        ends = time.monotonic() + timeout_s
        async with AsyncExitStack() as leaving:
            folder = leaving.enter_context(self._root.folder(where))
            running = await leaving.enter_async_context(
                child(command, folder=folder, environment=environment(TERM="dumb"))
            )
            async for chunk in _said(running, ends, timeout_s):
                yield chunk
            yield Chunk(exit_code=await running.exited())

    def _found(self, program: str) -> str:
        if program not in self._allowed:
            raise AccessDenied(
                "the program is not on the list", program=program, allowed=list(self._allowed)
            )
        found = shutil.which(program)
        if found is None:
            raise NotFound("the program is not installed", program=program)
        return found


async def _said(running: Child, ends: float, timeout_s: float) -> AsyncIterator[Chunk]:
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
            left_s = max(0.0, ends - time.monotonic())
            done, _ = await asyncio.wait(steps, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise TimedOut("the program took too long", timeoutS=timeout_s)
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


def _step(reader: asyncio.StreamReader) -> asyncio.Task[bytes]:
    return asyncio.create_task(reader.read(CHUNK_BYTES))
