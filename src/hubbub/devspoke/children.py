"""Child processes that leave nothing behind."""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from hubbub.client import TimedOut

CHUNK_BYTES = 32 * 1024
ERRORS_BYTES_MAX = 64 * 1024

# What a program needs to find others and to speak. The spoke's key may stand there too.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LC_ALL", "TZ")


def environment(**more: str) -> dict[str, str]:
    """The environment of every child."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | more


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process that runs in a group of its own."""

    process: asyncio.subprocess.Process
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    _watch: asyncio.Task[int]

    async def exited(self) -> int:
        """Its exit code; minus the signal that ended it."""
        return await asyncio.shield(self._watch)

    def kill(self) -> None:
        """End it and every process of its group. One that made a session of its own gets away."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def child(
    command: Sequence[str], *, folder: int, environment: Mapping[str, str]
) -> AsyncIterator[Child]:
    """Start `command` in the folder behind a descriptor; leaving the block kills all of it.

    The pipes are our own: asyncio's would keep `wait` from returning while any grandchild still
    holds one of them.
    """
    with ExitStack() as ours:
        with ExitStack() as theirs:
            stdout, out_end = await _pipe(ours, theirs)
            stderr, err_end = await _pipe(ours, theirs)
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=_working_folder(folder),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                start_new_session=True,
            )
        watch = asyncio.create_task(_watched(process))
        running = Child(process=process, stdout=stdout, stderr=stderr, _watch=watch)
        try:
            yield running
        finally:
            if not watch.done():
                running.kill()
            await asyncio.shield(watch)


def _working_folder(folder: int) -> str:
    # By its descriptor it is the one that was opened, whatever its name leads to by now. The child
    # enters it before its descriptors are closed.
    if os.path.isdir("/proc/self/fd"):
        return f"/proc/self/fd/{folder}"
    path_of = getattr(fcntl, "F_GETPATH")  # noqa: B009  macOS has it, and mypy looks at Linux
    return os.fsdecode(fcntl.fcntl(folder, path_of, bytes(1024)).rstrip(b"\0"))


async def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[asyncio.StreamReader, int]:
    """The end that is read, for as long as `ours`, and the other, for as long as `theirs`."""
    out, into = os.pipe()
    theirs.callback(os.close, into)
    file = ours.enter_context(os.fdopen(out, "rb", buffering=0))
    reader = asyncio.StreamReader(limit=CHUNK_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    ours.callback(transport.close)
    return reader, into


async def _watched(process: asyncio.subprocess.Process) -> int:
    code = await process.wait()
    # What it left running in the background would hold the pipes open, and outlive the call.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return code


@dataclass(frozen=True, kw_only=True)
class Output:
    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    """Whether it was killed because it said more than was asked for."""


async def output(
    command: Sequence[str],
    *,
    folder: int,
    environment: Mapping[str, str],
    bytes_max: int,
    timeout_s: float,
) -> Output:
    """What a command says, up to `bytes_max` of it.

    Raises:
        TimedOut: it was killed after `timeout_s`.
    """
    async with child(command, folder=folder, environment=environment) as running:
        try:
            async with asyncio.timeout(timeout_s):
                stdout, stderr = await asyncio.gather(
                    _up_to(bytes_max, running.stdout, running.kill),
                    # Warnings, as a rule: nothing ends over those.
                    _up_to(ERRORS_BYTES_MAX, running.stderr),
                )
                code = await running.exited()
        except TimeoutError:
            raise TimedOut("it took too long", timeoutS=timeout_s) from None
    truncated = len(stdout) > bytes_max
    return Output(code=code, stdout=stdout[:bytes_max], stderr=stderr, truncated=truncated)


def limited(command: Sequence[str], memory_bytes_max: int) -> list[str]:
    """The command, with so much address space, where the system can limit it."""
    # By a shell, which takes the limit on itself first: what could run between fork and exec here
    # cannot be Python where there are threads, and from outside it would come too late.
    script = 'ulimit -v "$0" 2>/dev/null; exec "$@"'
    return ["/bin/sh", "-c", script, str(memory_bytes_max // 1024), *command]


async def _up_to(
    bytes_max: int, reader: asyncio.StreamReader, over: Callable[[], None] | None = None
) -> bytes:
    """What comes, to the end of it; of more than `bytes_max` only so much that it shows."""
    parts: list[bytes] = []
    held = 0
    while data := await reader.read(CHUNK_BYTES):
        if held <= bytes_max:
            parts.append(data)
            held += len(data)
        if held > bytes_max and over is not None:
            over()
    return b"".join(parts)
