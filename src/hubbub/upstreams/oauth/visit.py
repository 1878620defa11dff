"""A person's way to an authorization server and back."""

from dataclasses import dataclass
from typing import Protocol

from hubbub.upstreams.oauth.grant import Grant


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What an authorization server sends a person back with."""

    state: str
    code: str
    iss: str | None = None


class Visit(Protocol):
    """Of whoever has a person agree."""

    redirect_url: str
    """Where the person is sent back to."""

    async def sent(self, url: str) -> None:
        """The person is to open this."""

    async def back(self) -> Arrival:
        """Wait for the person."""


class Keep(Protocol):
    """Takes what is worth keeping, as soon as it is known."""

    async def __call__(self, grant: Grant) -> None: ...
