"""What is known of a login, from who lets in to what was let in with."""

from typing import Final

import msgspec

NONE: Final = "none"
EARLY_S: Final = 30.0
"""A token is renewed so long before it ends."""

Texts = tuple[str, ...]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself as something that is protected."""

    resource: str
    authorization_servers: Texts = ()
    scopes_supported: Texts = ()


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorization server says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    scopes_supported: Texts = ()
    grant_types_supported: Texts = ("authorization_code",)
    token_endpoint_auth_methods_supported: Texts = ("client_secret_basic",)
    code_challenge_methods_supported: Texts = ()
    client_id_metadata_document_supported: bool = False
    authorization_response_iss_parameter_supported: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """As whom the hub is known to an authorization server."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    method: str = NONE


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What a login has brought. It is kept as a secret."""

    known: Known
    resource: str
    token_endpoint: str
    scopes: tuple[str, ...]
    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch."""

    def stale(self, now_s: float) -> bool:
        return self.expires_at is not None and self.expires_at - EARLY_S <= now_s


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that waits for a person."""

    url: str
    state: str
    verifier: str
    redirect_uri: str
    resource: str
    scopes: tuple[str, ...]
    known: Known
    issuer: Issuer
