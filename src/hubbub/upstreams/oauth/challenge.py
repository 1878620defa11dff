"""What a server says that does not let the hub in. No I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hubbub.kernel.errors import Unavailable

CHARS_MAX: Final = 8192
_BEARER: Final = re.compile(r"(?:^|,)\s*Bearer(?=\s|,|$)", re.I)
_PARAMETER: Final = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """Which token a server wants to be shown."""

    status: Literal[401, 403]
    metadata: str | None = None
    """The URL under which it says who gives such tokens."""
    scope: str | None = None

    @property
    def more(self) -> bool:
        """Whether the token was good, and allows too little."""
        return self.status == 403

    def header(self, scope: str | None = None) -> str:
        """As the server could have put it; with another scope, if one is given."""
        said = {
            "error": "insufficient_scope" if self.more else "invalid_token",
            "resource_metadata": self.metadata,
            "scope": scope or self.scope,
        }
        return "Bearer " + ", ".join(f'{key}="{value}"' for key, value in said.items() if value)


class NeedsAuthorization(Unavailable):
    """Somebody has to agree first that the hub uses the server, or uses more of it. The call was
    not started."""

    def __init__(self, server: str, challenge: Challenge) -> None:
        more = f" for {challenge.scope}" if challenge.more and challenge.scope else ""
        super().__init__(
            f"{server} needs authorization{more}",
            server=server,
            operation="client.authorize",
            scope=challenge.scope,
        )
        self.challenge = challenge


ANY: Final = Challenge(status=401)
"""Of a server that says nothing about it."""


def challenged(status: int, headers: Sequence[str]) -> Challenge | None:
    """What a response with these `WWW-Authenticate` asks for, if it is a token."""
    if status not in (401, 403):
        return None
    said = ", ".join(headers)[:CHARS_MAX]
    # Where nothing is said at all, it is to be found at the usual places.
    if _BEARER.search(said) is None and (status == 403 or said):
        return None
    found = {key.lower(): quoted or plain for key, quoted, plain in _PARAMETER.findall(said)}
    if status == 403 and found.get("error") != "insufficient_scope":
        return None
    scope, metadata = found.get("scope", ""), found.get("resource_metadata", "")
    return Challenge(
        status=403 if status == 403 else 401,
        metadata=metadata if metadata and '"' not in metadata else None,
        scope=scope if _SCOPE.fullmatch(scope) else None,
    )
