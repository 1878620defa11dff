"""What an authorization server has granted the hub, as it is kept. No I/O."""

from typing import Any, Final

import msgspec

from hubbub.protocol.codec import encode
from hubbub.services.model import McpServer

EARLY_S: Final = 60.0
EARLY_SHARE: Final = 0.2
"""Tokens are renewed before they expire: so early, or this much of a short life."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown to a server, and what gets another one."""

    access: str
    refresh: str | None = None
    scope: str | None = None
    expires_at: float | None = None
    """Seconds since 1970. None where nobody said."""
    renew_at: float | None = None

    def due(self, now: float) -> bool:
        return self.renew_at is not None and self.renew_at <= now

    def allows(self, scope: str | None) -> bool:
        """Whether all of this was granted."""
        return bool(scope) and set((scope or "").split()) <= set((self.scope or "").split())

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to know of it, so that a hub that starts anew need not ask again."""

    of: str
    """For which server, and for whom: under another config it does not count."""
    tokens: Tokens | None = None
    registration: dict[str, Any] | None = None
    """Who the hub is to the authorization server, unless the config says so."""
    metadata: dict[str, Any] | None = None
    """What the authorization server says of itself."""
    resource: dict[str, Any] | None = None
    """What the server says of itself."""
    authority: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is in it that nobody may see."""
        tokens, registration = self.tokens, self.registration or {}
        found = [registration.get("client_secret")]
        found += [] if tokens is None else [tokens.access, tokens.refresh]
        return tuple(each for each in found if each)


def purpose(config: McpServer) -> str:
    """What a grant is for that is got with this config."""
    oauth = config.oauth
    who = () if oauth is None else (oauth.grant, oauth.client_id, oauth.issuer, oauth.metadata_url)
    return encode([config.url, *who]).decode()


def lasting(access: str, refresh: str | None, scope: str | None, life_s: float | None, now: float
) -> Tokens:  # fmt: skip
    """Tokens that were given now for so long."""
    return Tokens(
        access=access,
        refresh=refresh,
        scope=scope,
        expires_at=None if life_s is None else now + life_s,
        renew_at=None if life_s is None else now + life_s - min(EARLY_S, life_s * EARLY_SHARE),
    )
