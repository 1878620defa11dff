"""A hub that runs as its own process, a spoke that waits for calls, and the command line."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hubbub.client import CallContext, Spoke
from hubbub.interfaces.cli import root

END_S = 20


def environment(home: Path) -> dict[str, str]:
    """This process's, less everything that says which hub or whose keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    places = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data")}
    return {**kept, **places, "HOME": str(home)}


def start(home: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    """`hubbub WORDS` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "hubbub", *words],
        env={**environment(home), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    try:
        out, err = process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


@contextmanager
def serving(home: Path, *words: str) -> Iterator[dict[str, Any]]:
    """`hubbub serve`, and the line that it prints."""
    process = start(home, "serve", "--port", "0", "--json", *words)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        assert ended(process)[0] == 0


@dataclass
class Served:
    """The hub that the tests share."""

    home: Path
    url: str
    key: str
    database: str


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("hub")
    database = f"sqlite:///{home / 'hub.sqlite'}"
    with serving(home, "--database", database) as line:
        yield Served(home=home, url=line["url"], key=line["key"], database=database)


@pytest.fixture
def cli(served):
    """Runs a command against the hub, with the key that `serve` saved."""

    def run(*words: str, input: str | None = None, **env: str) -> Result:
        given = {**environment(served.home), "HUBBUB_URL": served.url, **env}
        return CliRunner(env=given).invoke(root, words, input=input, catch_exceptions=False)

    return run


@pytest.fixture
def answer(cli):
    """What a command prints with --json."""

    def run(*words: str, **env: str) -> Any:
        done = cli(*words, "--json", **env)
        assert (done.exit_code, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


@dataclass
class Offered:
    """What the tests' spoke has seen."""

    waiting: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)


# Not for longer than one module: its thread pings with Python's one source of chance, and
# Hypothesis, in other tests, does not bear that anybody else draws from it.
@pytest.fixture(scope="module")
def _offered(served) -> Iterator[Offered]:
    seen = Offered()
    spoke = _spoke(seen)
    socket = f"ws{served.url.removeprefix('http')}/ws"
    ready: Future[None] = Future()

    async def run() -> None:
        running = asyncio.create_task(spoke.run(socket, key=served.key))
        await spoke.ready()
        ready.set_result(None)
        await running

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
        thread.start()
        ready.result(END_S)
        try:
            yield seen
        finally:
            asyncio.run_coroutine_threadsafe(spoke.drain(), loop).result(END_S)
            thread.join(END_S)


@pytest.fixture
def offered(_offered) -> Offered:
    _offered.waiting.clear()
    _offered.cancelled.clear()
    return _offered


def _spoke(seen: Offered) -> Spoke:
    spoke = Spoke("tester")

    @spoke.operation(namespace="test.kit")
    async def echo(
        text: str,
        number: int = 0,
        exact: bool = False,
        tags: tuple[str, ...] = (),
        extra: dict[str, object] | None = None,
    ) -> dict[str, object]:
        """Say it again."""
        return {"text": text, "number": number, "exact": exact, "tags": tags, "extra": extra}

    @spoke.operation(namespace="test.kit")
    async def count(to: int) -> AsyncIterator[int]:
        """Count."""
        for number in range(1, to + 1):
            yield number

    @spoke.operation(namespace="test.kit")
    async def wait() -> None:
        """Wait until somebody stops it."""
        seen.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.cancelled.set()

    @spoke.operation(namespace="test.kit")
    async def nest(ctx: CallContext) -> object:
        """Have it said by another call."""
        return await ctx.call("test.kit.echo", {"text": "within"})

    return spoke
