"""What a transport of MCP does, whichever it is."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from hubbub.kernel.errors import ExecutionFailed, TooLarge, Unavailable
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.protocol.mcp import RequestId
from hubbub.upstreams.mcp.messages import Incoming

NO_HEADERS: Final[Mapping[str, str]] = {}

Heard = Callable[[Incoming], None]
"""Takes what a server says besides the answer that is waited for."""


class SessionGone(Unavailable):
    """The server no longer knows the session, and did nothing."""


def lost(server: str) -> ExecutionFailed:
    """Of a call that may have run."""
    return ExecutionFailed(f"{server} left before it answered", server=server, reason="callee_left")


def unreachable(server: str, why: str) -> Unavailable:
    """Of a call that was not started."""
    return Unavailable(f"{server} cannot be reached: {why}", server=server)


def too_large(server: str) -> TooLarge:
    return TooLarge(f"{server} answered with too much", server=server, maximum=FRAME_BYTES_MAX)


class Wire(Protocol):
    """The way to a server, from when it is opened until it is lost."""

    lost: asyncio.Event
    """Set once nothing can be sent any more."""
    plain: bool
    """Whether messages are all there is, without headers that repeat what they say."""

    async def exchange(
        self, id: RequestId, message: bytes, headers: Mapping[str, str], heard: Heard
    ) -> Incoming:
        """Send a request and wait for its response.

        Raises:
            Unavailable: if it was not started.
            ExecutionFailed: if it may have been, and no answer will come.
            TooLarge: if the answer is over the limit of a frame.
        """

    async def tell(self, message: bytes) -> None:
        """Send what is not answered.

        Raises:
            Unavailable: if it cannot be sent.
        """

    async def listen(self) -> None:
        """Take what a server that was shaken hands with says of its own accord, where it has to be
        asked for."""

    def greeted(self, version: str | None) -> None:
        """The revision that both sides have agreed on; None where they are yet to."""


class Pending:
    """Requests on a stream that carries everything, until their responses come."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._waiting: dict[RequestId, tuple[asyncio.Future[Incoming], Heard]] = {}

    def opened(self, id: RequestId, heard: Heard) -> asyncio.Future[Incoming]:
        future: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()
        self._waiting[id] = (future, heard)
        return future

    def closed(self, id: RequestId) -> None:
        self._waiting.pop(id, None)

    def take(self, message: Incoming) -> bool:
        """Whether somebody waited for this."""
        if not message.answers or message.id not in self._waiting:
            return message.answers  # an answer that nobody waits for any more is nobody's
        future, _ = self._waiting[message.id]
        if not future.done():
            future.set_result(message)
        return True

    def too_large(self, id: int | None) -> None:
        """Somebody's answer was passed over; if it cannot be said whose, it may be anybody's."""
        ids = [id] if id in self._waiting else list(self._waiting)
        for each in ids:
            future, _ = self._waiting[each]
            if not future.done():
                future.set_exception(too_large(self._server))

    def lost(self) -> None:
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(lost(self._server))
