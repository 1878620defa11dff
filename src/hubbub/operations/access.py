"""Who may call what. One check for every operation, whoever provides it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from hubbub.kernel.errors import AccessDenied
from hubbub.protocol.specs import AccessControl

OPEN: Final = AccessControl()


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who calls, as every provider is told."""

    id: str
    """The account's id."""
    scopes: frozenset[str] = frozenset()
    resources: Mapping[str, tuple[str, ...]] = {}
    """`type:id` to the actions that are granted on it."""


def allowed(access: AccessControl, identity: Identity | None) -> bool:
    """Whether the requirements are met; with requirements and no identity they are not."""
    if identity is None:
        return access == OPEN
    if not identity.scopes.issuperset(access.required_scopes):
        return False
    if access.required_scopes_any and identity.scopes.isdisjoint(access.required_scopes_any):
        return False
    # Half a requirement is a slip, and one that nobody meets: it must not let everybody in.
    if access.resource_type is not None or access.resource_action is not None:
        return any(
            access.resource_action in actions
            for resource, actions in identity.resources.items()
            if resource.startswith(f"{access.resource_type}:")
        )
    return True


def check(access: AccessControl, identity: Identity | None, operation_id: str) -> None:
    """Let through, or refuse.

    Raises:
        AccessDenied: says what is required.
    """
    if not allowed(access, identity):
        raise AccessDenied(
            f"{operation_id} is not allowed",
            operation=operation_id,
            required=msgspec.to_builtins(access),
        )
