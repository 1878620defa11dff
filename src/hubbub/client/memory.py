"""A wire within one process: what one half sends the other receives."""

import asyncio
from collections import deque

from hubbub.client.transport import Closed
from hubbub.protocol.closing import NORMAL


class _Lane:
    """One direction. A sender waits while `size` messages have not been received."""

    def __init__(self, size: int) -> None:
        self._messages: deque[bytes] = deque()
        self._size = size
        self._changed = asyncio.Condition()
        self.closed: Closed | None = None

    async def put(self, data: bytes) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.closed or len(self._messages) < self._size)
            if self.closed:
                raise self.closed
            self._messages.append(data)
            self._changed.notify_all()

    async def get(self) -> bytes:
        async with self._changed:
            await self._changed.wait_for(lambda: self.closed or self._messages)
            if not self._messages:
                assert self.closed is not None
                raise self.closed
            data = self._messages.popleft()
            self._changed.notify_all()
            return data

    async def close(self, closed: Closed) -> None:
        async with self._changed:
            self.closed = self.closed or closed
            self._changed.notify_all()


class MemoryTransport:
    """One half of a pair."""

    def __init__(self, inbox: _Lane, outbox: _Lane) -> None:
        self._inbox = inbox
        self._outbox = outbox

    @property
    def open(self) -> bool:
        return self._outbox.closed is None

    async def send(self, data: bytes) -> None:
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        return await self._inbox.get()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        await self._outbox.close(Closed(code, reason))
        await self._inbox.close(Closed(code, reason))


def pair(size: int = 64) -> tuple[MemoryTransport, MemoryTransport]:
    """Two ends of one wire, with room for `size` messages each way."""
    there, back = _Lane(size), _Lane(size)
    return MemoryTransport(there, back), MemoryTransport(back, there)
