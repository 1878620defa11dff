"""Being connected, again and again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from hubbub.client.backoff import Backoff, hint_ms
from hubbub.client.connection import Connection
from hubbub.client.transport import Closed, Transport, verdict
from hubbub.kernel.errors import Unavailable

log = logging.getLogger(__name__)

Dial = Callable[[], Awaitable[Transport]]
Use = Callable[[Connection], Awaitable[None]]


async def greeted(transport: Transport) -> Connection:
    """The connection that a hub greets over `transport`.

    Raises:
        Unauthenticated: the hub does not accept the key.
        Conflict: the hub speaks another version of the protocol.
        Unavailable: it did not greet; it may another time.
    """
    try:
        return await Connection.over(transport)
    except Closed as closed:
        raise verdict(closed) or _turned_away(closed) from closed
    except BaseException:
        await transport.close()
        raise


async def used(connection: Connection, use: Use) -> int:
    """Use one connection until it ends; the answer is the hub's `retryAfterMs`, 0 if it named none.

    Raises:
        HubError: the hub closed it for good, or whatever `use` raises.
    """
    try:
        async with connection:
            await use(connection)
    except Closed as closed:
        if refusal := verdict(closed):
            raise refusal from closed
        log.info("the connection to the hub ended: %s", closed)
    return connection.retry_after_ms


async def stay_connected(
    dial: Dial,
    use: Use,
    *,
    backoff: Backoff,
    leaving: asyncio.Event,
    first: Connection | None = None,
) -> None:
    """Dial and use, until `leaving` is set or the hub refuses for good; `first` is used as it is.

    Raises:
        HubError: there is no use in trying again, and why.
    """
    failures = 0
    while not leaving.is_set():
        began = time.monotonic()
        try:
            hint = await used(first or await greeted(await dial()), use)
        except Unavailable as error:
            hint = hint_ms(error.details)
            log.info("no connection to the hub: %s %s", error.message, error.details)
        first = None
        # A hub that accepts and drops at once is as good as down; one that held is a new story.
        if time.monotonic() - began >= backoff.delay_s_max:
            failures = 0
        await _pause(backoff.delay_s(failures, hint), leaving)
        failures += 1


def _turned_away(closed: Closed) -> Unavailable:
    return Unavailable("the hub closed the connection", code=closed.code, reason=closed.reason)


async def _pause(delay_s: float, leaving: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await leaving.wait()
    except TimeoutError:
        return
