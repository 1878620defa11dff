"""Asking the hub: connected over WebSocket as any other caller."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from hubbub.client import Hub
from hubbub.interfaces.cli.session import Session, current
from hubbub.kernel.errors import Unavailable

T = TypeVar("T")

PAGE_ITEMS_MAX = 500


@asynccontextmanager
async def connected(session: Session, key: str | None = None) -> AsyncIterator[Hub]:
    """The hub, with the key that is saved for it unless another is given.

    Raises:
        Unauthenticated: if there is no key for it, or one that does not count.
        Unavailable: if it does not answer.
    """
    hub = Hub(session.socket, key=key or session.key())
    try:
        await hub.__aenter__()
    except Unavailable as error:
        details = {**error.details, "url": session.hub}
        raise Unavailable(f"{error.message}: {session.hub}", **details) from error
    try:
        yield hub
    finally:
        await hub.__aexit__(None, None, None)


def with_hub(work: Callable[[Hub], Coroutine[Any, Any, T]], *, within_s: float | None = None) -> T:
    """What `work` comes to, connected to the hub of the command that runs.

    Raises:
        Unavailable: it is not done within `within_s`, or there is no hub.
    """
    session = current()

    async def connected_work() -> T:
        try:
            async with asyncio.timeout(within_s), connected(session) as hub:
                return await work(hub)
        except TimeoutError:
            raise Unavailable("the hub is too slow", withinS=within_s) from None

    return asyncio.run(connected_work())


def ask(operation: str, input: object = None) -> Any:
    """What one of the hub's own operations answers."""
    return with_hub(lambda hub: hub.call(operation, input))


async def every(hub: Hub, operation: str, input: dict[str, object], most: int) -> list[Any]:
    """The items of all pages, up to a bound."""
    items: list[Any] = []
    cursor: str | None = None
    while len(items) < most:
        limit = min(PAGE_ITEMS_MAX, most - len(items))
        page = await hub.call(operation, {**input, "limit": limit, "cursor": cursor})
        items += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    return items
