"""What happens to clients, for those who keep connections to them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ClientChanged:
    """A client is new, or it or one of its secrets is not what it was."""

    client_id: str


@dataclass(frozen=True, kw_only=True)
class ClientRemoved:
    """A client is gone, and its secrets with it."""

    client_id: str
    name: str
