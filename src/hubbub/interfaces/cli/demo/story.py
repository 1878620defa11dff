"""What the demo does, step by step. A step that does not come out as it should ends it."""

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from hubbub.client import Hub, Spoke
from hubbub.interfaces.cli.asking import every
from hubbub.interfaces.cli.demo.agent import PARTS, answered
from hubbub.interfaces.cli.demo.api import NAME as WEATHER
from hubbub.interfaces.cli.demo.api import STATIONS, weather
from hubbub.interfaces.cli.demo.offers import HANDS, Offers
from hubbub.interfaces.cli.demo.processes import command
from hubbub.interfaces.cli.demo.telling import Ending, Step, Teller
from hubbub.interfaces.cli.names import own_name
from hubbub.interfaces.cli.signals import stopping
from hubbub.kernel.errors import Aborted, ExecutionFailed, HubError, NotFound
from hubbub.kernel.groups import ungrouped

STEP_S: Final = 40.0
SETTLE_S: Final = 5.0
LOOK_S: Final = 0.15  # each look is a call too, and shows among the others
CONNECT_S: Final = 30.0
SENTENCE: Final = "what time is it now in another time zone"
WORDS: Final = "list the files in a folder"
NUMBERS: Final = [1, 2, 3, 4, 5]
ENDED: Final = frozenset({"completed", "failed", "aborted"})


class Story:
    """One telling. The steps use what those before them have found."""

    def __init__(self, folder: Path, root: Path, teller: Teller) -> None:
        self._folder = folder
        self._root = root
        self._teller = teller
        self._stack = AsyncExitStack()
        self._offers = Offers()
        self._hub: Hub
        self._url = ""
        self._key = ""
        self._found = ""
        self._trees: list[dict[str, Any]] = []

    @property
    def _key_file(self) -> Path:
        return self._folder / "key"

    async def told(self, *, keep: bool) -> None:
        """Tell it all, and clean up.

        Raises:
            ExecutionFailed: names the step that failed.
        """
        async with self._stack:
            for title, work in (
                ("a hub", self._start_hub),
                ("a spoke", self._start_spoke),
                ("another spoke", self._join),
                ("find", self._find),
                ("call", self._call),
                ("nested calls", self._nest),
                ("a stream", self._stream),
                ("stop", self._stop),
                ("MCP servers", self._connect),
                ("an HTTP API", self._import),
                ("an agent", self._ask),
            ):
                await self._step(title, work)
            self._teller.ended(await self._ending(kept=keep))
            if keep:
                await stopping().wait()

    async def _step(self, title: str, work: Callable[[], Awaitable[str]]) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(STEP_S):
                detail = await work()
        except (HubError, TimeoutError) as error:
            reason = error.message if isinstance(error, HubError) else "it took too long"
            raise ExecutionFailed(f"the step `{title}` failed: {reason}", step=title) from error
        took_ms = round((time.monotonic() - began) * 1000, 1)
        self._teller.told(Step(title=title, detail=detail, took_ms=took_ms))

    async def _start_hub(self) -> str:
        database = f"sqlite:///{self._folder / 'demo.sqlite'}"
        words = ("serve", "--database", database, "--host", "127.0.0.1", "--port", "0")
        started = await self._stack.enter_async_context(command(self._folder, "hub", *words))
        self._url, self._key = started["url"], started["key"]
        # A key is no argument and no variable: others can read those.
        handle = os.open(self._key_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self._key)
        socket = f"ws{self._url.removeprefix('http')}/ws"
        self._hub = await self._stack.enter_async_context(Hub(socket, key=self._key))
        return f"{self._url}, process {started['pid']}, on an embedded file"

    async def _start_spoke(self) -> str:
        words = ("spoke", "dev", "--root", str(self._root), "--name", "folder")
        where = ("--url", self._url, "--key-file", str(self._key_file))
        started = await self._stack.enter_async_context(
            command(self._folder, "spoke", *words, *where)
        )
        offered = len(started["operations"])
        return f"folder, process {started['pid']}, offers {offered} operations on {self._root}"

    async def _join(self) -> str:
        spoke = self._offers.spoke()
        await self._stack.enter_async_context(_connected(spoke, self._url, self._key))
        result = await spoke.ready()
        return f"demo, in this process, offers {len(result.operations)} operations"

    async def _find(self) -> str:
        hits = await every(self._hub, "operation.search", {"text": WORDS}, 5)
        fitting = [hit["id"] for hit in hits if own_name(hit["id"]) == "dev.fs.list"]
        _expect(bool(fitting), f"dev.fs.list is not among {[hit['id'] for hit in hits]}")
        self._found = fitting[0]
        return f"{WORDS!r} finds {own_name(self._found)}"

    async def _call(self) -> str:
        answer = await self._hub.call(self._found)
        names = [entry["path"] for entry in answer["entries"]]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"{own_name(self._found)} answers {', '.join(names[:3]) or 'nothing'}{more}"

    async def _nest(self) -> str:
        answer = await self._hub.call_raw("demo.survey")
        counted = answer.data()
        tree = await self._settled(answer.call_id, 1 + counted["files"])
        self._trees.append(tree)
        return f"demo.survey had {counted['files']} files read: {counted['lines']} lines"

    async def _stream(self) -> str:
        numbers = [n async for n in self._hub.subscribe("demo.count", {"to": len(NUMBERS)})]
        _expect(numbers == NUMBERS, f"{NUMBERS} became {numbers}")
        return f"demo.count answers {', '.join(map(str, numbers))}"

    async def _stop(self) -> str:
        call = await self._hub.start("demo.build")
        await self._offers.busy.wait()
        await call.abort()
        with suppress(Aborted):
            await call.result()
        tree = await self._settled(call.call_id, HANDS)
        statuses = {each["call"]["status"] for each in (tree, *tree["children"])}
        _expect(statuses == {"aborted"}, f"some ended as {sorted(statuses)}")
        self._trees.append(tree)
        return f"demo.build was stopped, and so were the {HANDS} calls that it had made"

    async def _connect(self) -> str:
        """Two servers of others, as they are published."""
        if not _installed(PARTS):
            return "left out: they come with `pip install 'hubbub[demo]'`"
        servers = {"time": ["mcp_server_time"]}
        if shutil.which("git"):
            servers["git"] = ["mcp_server_git", "--repository", await _repository(self._folder)]
        for name, words in servers.items():
            config = {"transport": "stdio", "command": sys.executable, "args": ["-m", *words]}
            await self._hub.call(
                "client.create", {"name": name, "type": "mcp-server", "config": config}
            )
        counts = [f"{name} with {await self._connected(name)} tools" for name in servers]
        return f"connected to {' and '.join(counts)}"

    async def _import(self) -> str:
        document = await self._stack.enter_async_context(weather())
        made = await self._hub.call("openapi.import", {"name": WEATHER, "url": document})
        await self._connected(WEATHER)
        found = await self._hub.call(f"{WEATHER}.getTemperature", {"station": "oslo"})
        _expect(found["celsius"] == STATIONS["oslo"], f"it is {found} in Oslo")
        return (
            f"{made['count']} operations out of an OpenAPI document; "
            f"{WEATHER}.getTemperature answers {found['celsius']}"
        )

    async def _ask(self) -> str:
        if not _installed(PARTS):
            return "left out: it comes with `pip install 'hubbub[demo]'`"
        name, found = await answered(self._url, self._key, SENTENCE, {"timezone": "Asia/Tokyo"})
        _expect(name == "time.get_current_time", f"{SENTENCE!r} finds {name}")
        return f"over MCP, {SENTENCE!r} finds {name}, which answers {found['datetime']}"

    async def _connected(self, name: str) -> int:
        """How many tools a client has, once the hub is connected to it."""
        async with asyncio.timeout(CONNECT_S):
            while True:
                (found,) = (await self._hub.call("client.status", {"id": name}))["items"]
                if found["status"] == "connected":
                    return int(found["tools"])
                _expect(found["status"] == "connecting", f"{name}: {found['error']}")
                await asyncio.sleep(LOOK_S)

    async def _settled(self, id: str, children: int) -> dict[str, Any]:
        """A call's tree once it is written, which the hub does a moment after it has answered."""
        async with asyncio.timeout(SETTLE_S):
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    tree: dict[str, Any] = await self._hub.call("call.tree", {"id": id})
                    calls = [each["call"]["status"] for each in (tree, *tree["children"])]
                    if len(calls) >= 1 + children and ENDED.issuperset(calls):
                        return tree
                except NotFound:
                    continue

    async def _ending(self, *, kept: bool) -> Ending:
        spokes = await every(self._hub, "spoke.list", {}, 10)
        return Ending(
            url=self._url,
            key_file=self._key_file if kept else None,
            trees=self._trees,
            stats=await every(self._hub, "call.stats", {}, 100),
            spokes={spoke["id"]: spoke["name"] for spoke in spokes},
        )


@asynccontextmanager
async def _connected(spoke: Spoke, url: str, key: str) -> AsyncIterator[None]:
    """A spoke of this process, until the block is left."""
    socket = f"ws{url.removeprefix('http')}/ws"
    with ungrouped():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(spoke.run(socket, key=key))
            try:
                yield
            finally:
                await spoke.drain()


def _installed(modules: Sequence[str]) -> bool:
    return all(importlib.util.find_spec(name) for name in modules)


async def _repository(folder: Path) -> str:
    """A repository for a server to look at."""
    path = str(folder / "repository")
    process = await asyncio.create_subprocess_exec("git", "init", "--quiet", path)
    _expect(await process.wait() == 0, "git init failed")
    return path


def _expect(claim: bool, otherwise: str) -> None:
    if not claim:
        raise ExecutionFailed(otherwise)
