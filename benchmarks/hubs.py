"""Hubs to be measured, and what they say of themselves."""

import asyncio
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.processes import Process, command

SETTLES_S: Final = 60


class Hub(Process):
    """A hub on a database. `key` is needed where the database knew its owner before."""

    def __init__(
        self,
        database: str,
        *,
        key: str | None = None,
        launcher: Sequence[str] = command("hubbub"),
        **settings: object,
    ) -> None:
        self.began = time.perf_counter()
        port = str(settings.pop("port", 0))
        super().__init__(
            *(*launcher, "serve", "--json", "--database", database, "--port", port),
            environment={f"HUBBUB_{name.upper()}": str(value) for name, value in settings.items()},
        )
        self.url: str = self.said["url"]
        self.key: str = self.said["key"] or key or ""

    def metric(self, name: str) -> float:
        """One of the hub's gauges or counters."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as page:
            found = re.search(rf"^hubbub_{name} (\S+)$", page.read().decode(), re.MULTILINE)
        if found is None:
            raise KeyError(name)
        return float(found[1])

    async def settled(self) -> None:
        """Wait until every call record is written."""
        async with asyncio.timeout(SETTLES_S):
            # There is nothing to wait on but another process.
            while await asyncio.to_thread(self.metric, "call_records_waiting"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for as long as it is needed, on the disk that databases are usually on."""
    path = Path(tempfile.mkdtemp(prefix="hubbub-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sqlite(folder: Path, name: str = "hub") -> str:
    """The URL of a file in a folder."""
    return f"sqlite:///{folder / name}.sqlite"
