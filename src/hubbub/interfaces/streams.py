"""Answers that come in parts: server-sent events."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

EVENTS: Final = "text/event-stream"
ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


class EventStream(StreamingResponse):
    """Events as they come. Their source is closed as soon as whoever reads them leaves."""

    def __init__(self, events: AsyncGenerator[bytes], first: bytes | None = None) -> None:
        super().__init__(
            _after(first, events), media_type=EVENTS, headers={"X-Accel-Buffering": "no"}
        )
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _after(first: bytes | None, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for event in events:
        yield event


def event(kind: str, data: bytes) -> bytes:
    """One event, whose data is JSON."""
    # JSON has line breaks between its tokens only, and an event ends with its line.
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data.translate(ONE_LINE))
