"""Processes to be measured: started, told apart by what they say first, and stopped."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
ROOT: Final = Path(__file__).parent.parent


class Process:
    """A child process. What it says on its first line, as JSON, is `said`."""

    def __init__(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        speaks: bool = True,
        timeout_s: float = 60,
    ) -> None:
        self._popen = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if speaks else subprocess.DEVNULL,
            stderr=None if speaks else subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
        self.pid = self._popen.pid
        self.said: dict[str, Any] = {}
        if speaks:
            try:
                self.said = json.loads(self._first_line(timeout_s))
            except BaseException:
                self.kill()
                raise

    def cpu_s(self) -> float:
        """User and system time of the process and its children."""
        return sum(_ticks(f"/proc/{pid}/stat") for pid in self._tree()) / TICKS_PER_S

    def threads_cpu_s(self) -> dict[str, float]:
        """User and system time by thread."""
        found: dict[str, float] = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with suppress(OSError):
                found[task] = _ticks(f"/proc/{self.pid}/task/{task}/stat") / TICKS_PER_S
        return found

    def rss_bytes(self) -> int:
        """Resident memory."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def sockets(self) -> int:
        """Open sockets."""
        folder, found = f"/proc/{self.pid}/fd", 0
        for name in os.listdir(folder):
            with suppress(OSError):
                found += os.readlink(f"{folder}/{name}").startswith("socket:")
        return found

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def stop(self, timeout_s: float = 15) -> int:
        """Ask it to end, and make it; its exit status."""
        if self.alive:
            self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout_s)
        return self.kill()

    def kill(self) -> int:
        """End it here and now; its exit status."""
        if self.alive:
            self._popen.kill()
        status = self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _first_line(self, timeout_s: float) -> bytes:
        out = self._popen.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], timeout_s)
        line = out.readline() if ready else b""
        if not line:
            raise RuntimeError(f"{self._popen.args!r} said nothing (exit {self._popen.poll()})")
        return line

    def _tree(self) -> list[int]:
        found, new = [], [self.pid]
        while new:
            pid = new.pop()
            found.append(pid)
            with suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        new += map(int, file.read().split())
        return found


def command(module: str, *words: str) -> tuple[str, ...]:
    """A module of ours, run by this Python."""
    return (sys.executable, "-m", module, *words)


def _ticks(path: str) -> int:
    try:
        with open(path) as file:
            # The name in brackets may hold anything, blanks and brackets included.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
