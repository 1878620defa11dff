"""Where functions run that block, and how many calls a spoke answers at once."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_END = object()


class Slots:
    """Room for a number of calls. Held until the function is over, not until it was aborted."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0

    def take(self) -> bool:
        """Take one, if there is one."""
        if self._taken >= self._total:
            return False
        self._taken += 1
        return True

    def hold(self) -> None:
        """Take one more for a thread whose call is over: it may exceed the total, for a moment."""
        self._taken += 1

    def free(self) -> None:
        self._taken -= 1


class Threads:
    """A thread for each slot, made when first needed.

    A thread cannot be stopped. When its call is aborted the caller is told at once, and the slot
    stays taken until the function returns, so that hanging functions run out of slots and not of
    memory.
    """

    def __init__(self, slots: Slots, size: int) -> None:
        self._slots = slots
        self._size = size
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., T], /, **arguments: object) -> T:
        """What `function` returns, in a thread."""
        future = self._submit(partial(function, **arguments))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._abandon(future)
            raise

    async def each(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        """What `items` yields, each step in a thread; then it is closed there."""
        future: asyncio.Future[Any] | None = None
        try:
            while True:
                future = self._submit(partial(next, items, _END))
                item = await asyncio.shield(future)
                if item is _END:
                    future = None
                    return
                yield item
        finally:
            if future is not None:
                # A generator that runs cannot be closed; it is once its last step is over.
                self._abandon(future)
                future.add_done_callback(lambda _: self._close(items))

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="hubbub-spoke")
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, partial(context.run, _contained, work))

    def _abandon(self, future: asyncio.Future[Any]) -> None:
        if not future.done():
            self._slots.hold()
            future.add_done_callback(self._over)

    def _over(self, future: asyncio.Future[Any]) -> None:
        self._slots.free()
        if not future.cancelled() and (error := future.exception()):
            log.info("a function failed after its call was over: %r", error)

    def _close(self, items: Iterator[object]) -> None:
        close = getattr(items, "close", None)
        if close is not None and self._pool is not None:
            self._pool.submit(close)

    def shut_down(self) -> None:
        """Start nothing more. Threads that still run end with their functions."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _contained(work: Callable[[], T]) -> T:
    try:
        return work()
    except (StopIteration, SystemExit) as error:
        # Neither may leave a thread: a future that is given the one is never done, and the other
        # ends the loop, and every other call with it.
        raise RuntimeError(f"the function raised {error!r}") from error
