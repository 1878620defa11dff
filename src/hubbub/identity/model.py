"""Accounts, their keys, and what was done with them."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from hubbub.operations.context import Caller

AccessLevel = Literal["admin", "user", "service"]
AccountStatus = Literal["active", "suspended", "deactivated"]

SYSTEM_EMAIL: Final = "system@hub.invalid"
"""The account to which the deeds of nobody known are written: it cannot log in."""

SCOPES: Final = (
    "accounts:read",
    "accounts:write",
    "audit:read",
    "calls:read",
    "calls:write",
    "clients:read",
    "clients:write",
    "operations:write",
    "profiles:read",
    "profiles:write",
    "registry:read",
    "registry:write",
    "spokes:connect",
    "spokes:read",
    "spokes:write",
    "workloads:read",
    "workloads:write",
)
"""What the hub's own operations ask for. Providers may ask for others."""

OWNER_SCOPES: Final = (*SCOPES, "dev:read", "dev:write", "dev:run")
"""What the first key of a hub may do: everything here, and all that a development spoke offers."""


class Account(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A person, a service or a model that can be answerable for what it does."""

    id: str
    email: str
    display_name: str | None
    access_level: AccessLevel
    status: AccountStatus
    created_at: datetime


class Key(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An API key without its secret."""

    id: str
    owner_id: str
    name: str | None
    prefix: str
    """The first characters, to tell keys apart."""
    scopes: tuple[str, ...]
    resources: dict[str, tuple[str, ...]]
    enabled: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotated_to_id: str | None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that was done, and by whom. Never changed."""

    id: str
    action: str
    owner_id: str
    key_id: str | None
    details: dict[str, object]
    created_at: datetime


class KeyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A key or its account is not what it was: doors that it opened must be tried again."""

    account_id: str
    key_id: str | None
    """None when all keys of the account are meant."""

    def concerns(self, caller: Caller) -> bool:
        """Whether this caller was let in by what has changed."""
        if caller.identity is None or caller.identity.id != self.account_id:
            return False
        return self.key_id is None or self.key_id == caller.key_id
