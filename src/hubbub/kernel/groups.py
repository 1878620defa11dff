"""Tasks that stand together, and tasks that fall alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

log = logging.getLogger(__name__)


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise what went wrong in a task group as itself, if it is one thing."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__


async def surviving(work: Callable[..., Awaitable[None]], *args: object) -> None:
    """Do one thing in a task of its own. Its failure is logged, and is nobody else's."""
    try:
        await work(*args)
    except Exception:
        # By its name alone: what it is given may hold what no log should.
        function = work.func if isinstance(work, partial) else work
        log.exception("%s failed", getattr(function, "__qualname__", type(function).__name__))


async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again, whether or not it went well the last time."""
    while True:
        await surviving(work)
        await asyncio.sleep(seconds)
