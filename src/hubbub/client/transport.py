"""What a connection needs of a wire: whole messages, in order, until it is closed."""

from typing import Protocol

from hubbub.kernel.errors import Conflict, HubError, Unauthenticated
from hubbub.protocol.closing import FENCED, NORMAL, UNAUTHENTICATED


class Closed(Exception):
    """The transport is closed; `code` is the close code, 1006 if none was told."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Transport(Protocol):
    """Implemented by a WebSocket (`websocket.dial`) and by one half of `memory.pair`."""

    @property
    def open(self) -> bool:
        """Whether a message that is sent now may still leave."""

    async def send(self, data: bytes) -> None:
        """Hand one message over, waiting while the far end does not keep up.

        Raises:
            Closed: the message may or may not have arrived.
        """

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            Closed: no more will come.
        """

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye, and wait a moment for the answer."""


def verdict(closed: Closed) -> HubError | None:
    """Why there is no use in connecting again, or None where there is."""
    if closed.code == UNAUTHENTICATED:
        return Unauthenticated("the hub does not know this key", reason=closed.reason)
    if closed.code == FENCED:
        return Conflict("a newer connection of the same spoke took over", reason=closed.reason)
    return None
