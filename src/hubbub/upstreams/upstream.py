"""One service that the hub dials: how the connection to it stands."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from hubbub.calls.router import Router
from hubbub.kernel.clock import Clock, utc_now
from hubbub.kernel.events import Bus
from hubbub.storage.database import Database
from hubbub.upstreams.logs import Logs

CLIENT_PROVIDER: Final = "client"
"""The type of the provider that a client is."""

Status = Literal["connecting", "connected", "failed", "disabled"]


class Left(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool that its server lists, and that the hub does not offer."""

    name: str
    reason: str


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a connection stands now."""

    status: Status
    since: int
    """Epoch milliseconds."""
    error: str | None = None
    """What stands in the way."""
    needs_authorization: bool = False
    """Whether somebody has to agree to what the hub wants there: `client.authorize`."""
    attempts: int = 0
    """How often it was tried in vain since it stood last."""
    era: str | None = None
    version: str | None = None
    server: str | None = None
    """What the server calls itself."""
    tools: int = 0
    skipped: tuple[Left, ...] = ()
    sessions: int = 0


@dataclass(frozen=True, kw_only=True)
class Around:
    """What every upstream needs of the hub."""

    router: Router
    database: Database
    bus: Bus
    clock: Clock = utc_now


class Upstream(Protocol):
    """A connection that is kept, or made again and again."""

    logs: Logs

    @property
    def standing(self) -> Standing: ...

    async def run(self) -> None:
        """Stay connected, until this is cancelled."""
