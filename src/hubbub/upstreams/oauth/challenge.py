"""What a server says that turns the hub away. No I/O."""

import re
from dataclasses import dataclass
from typing import Final

from hubbub.kernel.errors import Unavailable

_BEARER: Final = re.compile(r"(?i)(?:^|,)\s*bearer(?:\s+|$)")
_PARAMETER: Final = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
TEXT_MAX: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What is wanted of the hub."""

    metadata: str | None = None
    """Where it is said who lets in."""
    scopes: tuple[str, ...] = ()
    insufficient: bool = False
    """Whether the hub is let in, but not to this."""


class LoginNeeded(Unavailable):
    """The server wants to know who it is, or that it may do more. Nothing was started."""

    def __init__(self, server: str, challenge: Challenge) -> None:
        super().__init__(
            f"{server} asks for a login: client.authorize says where",
            server=server,
            authorize=True,
            scopes=list(challenge.scopes),
        )
        self.challenge = challenge


def challenged(status: int, header: str | None) -> Challenge | None:
    """What a response asks for; None if a login would not help."""
    found = _BEARER.search((header or "")[:TEXT_MAX])
    if found is None:
        # Some say no more than that they want to know who it is.
        return Challenge() if status == 401 and not header else None
    told = (header or "")[found.end() : TEXT_MAX]
    values = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(told)}
    insufficient = values.get("error") == "insufficient_scope"
    if status != 401 and not insufficient:
        return None
    return Challenge(
        metadata=values.get("resource_metadata"),
        scopes=tuple(values.get("scope", "").split()),
        insufficient=insufficient,
    )
