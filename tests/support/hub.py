"""A hub for a test: served in this process, on a database of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table, func, select

from hubbub.app import House, opened, serving
from hubbub.kernel.errors import NotFound
from hubbub.settings import Settings, load
from tests.support import services
from tests.support.doors import DOORS, Call
from tests.support.peer import PATIENCE_S, Frame, Peer, connected

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Template:
    """A database in which a hub was started once, to be copied, and its owner's key."""

    url: str
    key: str

    @classmethod
    def made(cls, url: str) -> "Template":
        async def started() -> str:
            async with opened(settings(url)) as house:
                assert house.first_key is not None
                return house.first_key

        # In a thread, because a loop may be running in this one.
        with ThreadPoolExecutor(1) as thread:
            return cls(url=url, key=thread.submit(asyncio.run, started()).result())


@contextmanager
def sqlite_copy(template: Template | None) -> Iterator[str]:
    """The URL of a file of one's own, empty without a template."""
    with tempfile.TemporaryDirectory(prefix="hubbub-test-") as folder:
        path = Path(folder, "hub.sqlite")
        if template is not None:
            shutil.copy(template.url.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"


def settings(url: str, **more: object) -> Settings:
    """What a hub in a test is set to."""
    chosen = {"database": url, "port": 0, "drain_s": 1.0, **more}
    return load(environment={}, overrides=chosen)


class Hub:
    """A hub that runs, and those who call it."""

    def __init__(self, house: House, url: str, key: str, stack: AsyncExitStack) -> None:
        self.house = house
        self.url = url
        self.key = key
        """The owner's."""
        self._stack = stack

    def door(self, name: str = "direct", key: str | None = None) -> Call:
        """Somebody who calls through this door; the owner, unless a key is given."""
        return self.following(DOORS[name](self.house, self.url, self.key if key is None else key))

    def following(self, call: Call) -> Call:
        """A caller who leaves before the hub does."""
        self._stack.push_async_callback(call.close)
        return call

    async def connect(self, key: str | None = None, **options: Any) -> Peer:
        """A connection, of the owner's unless a key is given."""
        return await self._stack.enter_async_context(
            connected(self.url, self.key if key is None else key, **options)
        )

    async def spoke(self, name: str, *operations: Frame, key: str | None = None) -> Peer:
        """A spoke that has registered."""
        peer = await self.connect(key)
        await peer.register(name, *operations)
        return peer

    async def key_with(self, *scopes: str, email: str | None = None) -> str:
        """A key of a new account that may do just this."""
        call = self.door()
        email = email or f"{'-'.join(scopes).replace(':', '-') or 'nobody'}@example.org"
        account = await call("account.create", email=email)
        made = await call("apiKey.create", ownerId=account["id"], scopes=scopes)
        secret: str = made["secret"]
        return secret

    async def written(self) -> None:
        """Wait until the graph has every call that has ended."""
        async with asyncio.timeout(PATIENCE_S):
            await self.house.graph.settled()

    async def count(self, *tables: Table) -> dict[str, int]:
        """How many rows there are in each."""
        counted: dict[str, int] = {}
        async with self.house.database.reading() as tx:
            for table in tables:
                found = await tx.execute(select(func.count().label("rows")).select_from(table))
                counted[table.name] = found.scalar()
        return counted

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        """All there is in a table."""
        async with self.house.database.reading() as tx:
            return [vars(row) for row in await tx.execute(select(table))]


@asynccontextmanager
async def served(url: str, key: str, **more: object) -> AsyncIterator[Hub]:
    """A hub that listens."""
    async with serving(settings(url, **more)) as (house, address), AsyncExitStack() as stack:
        yield Hub(house, address, house.first_key or key, stack)


@asynccontextmanager
async def in_one_task(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """What `context` gives, entered and left in a task of its own.

    pytest sets up and tears down in different tasks, and task groups do not like that.
    """
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def live() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    living = asyncio.create_task(live())
    await asyncio.wait((living, entered), return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        await living
    try:
        yield entered.result()
    finally:
        leave.set()
        await living


async def until(
    answer: Callable[[], Awaitable[T]], holds: Callable[[T], object] = lambda found: True
) -> T:
    """The first answer for which something holds, where it comes a little later than its cause."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                found = await answer()
            except NotFound:
                pass
            else:
                if holds(found):
                    return found
            await asyncio.sleep(0.01)


async def recorded(call: Call, id: str, *statuses: str) -> Any:
    """A call as the graph has it, once it has reached one of these statuses."""
    wanted = statuses or ("completed", "failed", "aborted")
    return await until(lambda: call("call.get", id=id), lambda found: found["status"] in wanted)


async def last(call: Call, operation: str, *statuses: str) -> Any:
    """The newest call of an operation, once the graph has one in one of these statuses."""
    wanted = statuses or ("completed", "failed", "aborted")
    page = await until(
        lambda: call("call.list", operation=operation, limit=1),
        lambda page: page["items"] and page["items"][0]["status"] in wanted,
    )
    return page["items"][0]


@contextmanager
def postgres_copy(server: str, copies: services.Copies, template: Template | None) -> Iterator[str]:
    """The URL of a database of one's own, empty without a template."""
    with services.database(server) if template is None else copies.copy() as url:
        yield url
