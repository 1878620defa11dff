"""The examples of a page of documentation, carried out.

A fenced block is what its language says. Words after the language say more:

    ```sh                   a shell runs it in the page's folder, and it succeeds
    ```sh background        the same, but it runs on until the page is over
    ```sh exits=3           the same, but it ends with this code
    ```python               runs in one namespace with the page's others; may await
    ```python file=a.py     is written to the page's folder
    ```json frame           frames of the protocol, which the hub's own codec reads
    ```toml                 settings, which the hub's own loader reads
    ```text output          what the block above printed, compared loosely
    ```sh not-run="why"     is not carried out, for this reason

Variables that a shell block sets are there in the next one. The address of the hub in an example,
127.0.0.1:4820, is replaced by that of the test's own.
"""

import ast
import asyncio
import inspect
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hubbub.protocol import codec
from hubbub.settings import load

ROOT = Path(__file__).parents[2]
USUAL = "127.0.0.1:4820"
PATIENCE_S = 20.0

RUN = frozenset({"sh", "python", "json", "toml"})
SHOWN = frozenset({"text", "mermaid", "nginx", "ini", "yaml"})

_FENCE = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", re.M | re.S)

# Numbers, ids, keys and moments are never twice the same.
_CHANGING = (
    (re.compile(r"hub_([\w-]{8,}|\0)"), "KEY"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"@[0-9a-f]{8}\b"), "@ID"),
    (re.compile(r"\d[\d.,:]*"), "0"),
    (re.compile(r"\b(ms|s)\b"), "s"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    def option(self, name: str) -> str | None:
        """What stands behind `name=`."""
        found = [word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")]
        return found[0] if found else None

    @property
    def not_run(self) -> str | None:
        """Why it is not carried out."""
        return self.option("not-run")

    @property
    def output(self) -> bool:
        return self.language == "text" and "output" in self.words


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text()
    return [
        Block(
            language=found[1],
            words=tuple(shlex.split(found[2])),
            text=found[3],
            line=text.count("\n", 0, found.start()) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


class Examples:
    """Carries out the blocks of one page, in order."""

    def __init__(self, folder: Path, address: str, replaced: Mapping[str, str]) -> None:
        self._folder = folder / "folder"
        self._replaced = {USUAL: address, **replaced}
        self._home = folder / "home"
        self._state = folder / "state"
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._given: dict[str, object] = {"url": f"http://{address}"}
        self._names: dict[str, object] = {}
        self._silent = False  # whether something was started that does not say when it is ready
        self._environment = _environment(folder, self._home, address)
        for made in (self._folder, self._home):
            made.mkdir()
        # In a checkout it is there; what it adds to `hubbub` has tests of its own.
        (self._folder / "hub").write_text('#!/bin/sh\nexec hubbub "$@"\n')
        (self._folder / "hub").chmod(0o755)

    def name(self, name: str, value: object) -> None:
        """Have a name for all the Python of the page, whatever else it is used for there."""
        self._given[name] = value

    def save_key(self, url: str, key: str) -> None:
        """As `hubbub login` does."""
        file = self._home / ".config" / "hubbub" / "credentials.toml"
        file.parent.mkdir(parents=True)
        file.write_text(f'[hubs."{url}"]\nkey = "{key}"\n')

    async def carry_out(self, page: list[Block]) -> None:
        """All blocks that can be, each held against the output that stands below it."""
        below = [*page[1:], None]
        for block, following in zip(page, below, strict=True):
            if block.not_run is None:
                wanted = following.text if following is not None and following.output else None
                await self._carry_out(block, wanted)

    async def _carry_out(self, block: Block, wanted: str | None) -> None:
        match block.language:
            case "sh" if "background" in block.words:
                await asyncio.to_thread(self._start, block, wanted)
            case "sh":
                await asyncio.to_thread(self._run_until_it_fits, block, wanted)
            case "python" if name := block.option("file"):
                (self._folder / name).write_text(self._here(block))
            case "python":
                _compare(await self._python(block), wanted, block)
            case "json" if "frame" in block.words:
                for text in _documents(block.text):
                    _check_frame(text)
            case "json":
                _documents(block.text)
            case "toml":
                file = self._folder / (block.option("file") or "settings.toml")
                file.write_text(block.text)
                load(file, environment={})

    def _here(self, block: Block) -> str:
        text = block.text
        for usual, ours in self._replaced.items():
            text = text.replace(usual, ours)
        return text

    def _run_until_it_fits(self, block: Block, wanted: str | None) -> None:
        """Once; or, where something was started that does not say when it is ready, as long as it
        may need."""
        end = time.monotonic() + PATIENCE_S
        while self._silent and wanted is not None and time.monotonic() < end:
            with suppress(AssertionError):
                if _fits(self._run(block), wanted):
                    self._silent = False
                    return
        _compare(self._run(block), wanted, block)

    def _run(self, block: Block) -> str:
        done = subprocess.run(
            self._shell(f"set -aeuo pipefail\n{self._here(block)}"),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
        )
        wanted = int(block.option("exits") or 0)
        assert done.returncode == wanted, f"line {block.line}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def _shell(self, script: str) -> list[str]:
        state = shlex.quote(str(self._state))
        before = f". {state} 2>/dev/null || true\n" if self._state.exists() else ""
        return ["bash", "-c", f"{before}trap 'export -p >{state}' EXIT\n{script}"]

    def _start(self, block: Block, wanted: str | None) -> None:
        log = self._folder.parent / f"background-{block.line}"
        with log.open("wb") as said:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._here(block).strip()}"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((process, log))
        if wanted is None:
            self._silent = True
            return
        end = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < end:
            if _fits(log.read_text(), wanted):
                return
            time.sleep(0.02)
        _compare(log.read_text(), wanted, block)

    async def _python(self, block: Block) -> str:
        code = compile(
            self._here(block),
            f"line {block.line}",
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        self._names.update(self._given)
        printed = io.StringIO()
        with redirect_stdout(printed):
            result = eval(code, self._names)
            if inspect.isawaitable(result):
                async with asyncio.timeout(PATIENCE_S):
                    await result
        return printed.getvalue()

    def close(self) -> None:
        """End what runs in the background, the latest first."""
        for process, _ in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(folder: Path, home: Path, address: str) -> dict[str, str]:
    """A new user's, but for the address of the hub."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    host, _, port = address.partition(":")
    return {
        "PATH": path,
        "HOME": str(home),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "PYTHONUNBUFFERED": "1",
        "HUBBUB_URL": f"http://{host}:{port}",
        "HUBBUB_PORT": port,
    }


def _documents(text: str) -> list[str]:
    """The JSON documents of a text: one over many lines, or one a line."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        lines = [line for line in text.splitlines() if line.strip()]
        for line in lines:
            msgspec.json.decode(line)
        return lines
    return [text]


def _check_frame(text: str) -> None:
    """It is a frame, and every field that it shows is one that the hub knows."""
    frame = codec.decode_any_frame(text)
    shown, known = msgspec.json.decode(text), msgspec.json.decode(codec.encode(frame))
    assert shown["type"] == known["type"]
    fields = {field.encode_name for field in msgspec.structs.fields(type(frame.payload))}
    assert set(shown["payload"]) <= fields


def _compare(printed: str, wanted: str | None, block: Block) -> None:
    if wanted is not None and not _fits(printed, wanted):
        raise AssertionError(f"line {block.line} printed\n{printed}\nand not\n{wanted}")


def _fits(printed: str, wanted: str) -> bool:
    """Whether the lines that are wanted come in this order, whatever stands between them."""
    lines = iter([_constant(line) for line in printed.splitlines()])
    return all(any(pattern.fullmatch(line) for line in lines) for pattern in _patterns(wanted))


def _patterns(wanted: str) -> Iterator[re.Pattern[str]]:
    for line in wanted.splitlines():
        if line.strip() not in ("", "..."):
            parts = map(re.escape, _constant(line.replace("...", "\0")).split("\0"))
            yield re.compile(".*".join(parts))


def _constant(line: str) -> str:
    for changing, always in _CHANGING:
        line = changing.sub(always, line)
    return line.strip()
