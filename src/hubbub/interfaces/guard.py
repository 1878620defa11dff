"""Who may knock: which hosts a request may name, and how it shows its key.

A hub on loopback is reachable from every page that its owner's browser opens. A page of somebody
else's has another origin, and a name that was made to point here (DNS rebinding) is another host;
both are refused before anything else is looked at.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hubbub.interfaces.errors import error_response
from hubbub.kernel.errors import AccessDenied, HubError

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Refuses what names another host or comes from another origin."""

    def __init__(self, host: str, hosts: tuple[str, ...]) -> None:
        # Behind an address that others can reach, the proxy in front knows the names.
        self._names = LOOPBACK_HOSTS | set(hosts) if is_loopback(host) else None

    def refusal(self, headers: Mapping[str, str]) -> HubError | None:
        """Why a request with these headers is refused; None if it is not."""
        if self._names is None:
            return None
        host = _hostname(f"//{headers.get('host', '')}")
        if host not in self._names:
            return AccessDenied("this host is not one of the hub's names", host=host)
        origin = headers.get("origin")
        if origin is not None and _hostname(origin) not in self._names:
            return AccessDenied("this origin may not use the hub", origin=origin)
        return None


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._guard.refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await error_response(error)(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bearer(authorization: str | None) -> str | None:
    """The key in an `Authorization` header, if it holds one."""
    kind, _, key = (authorization or "").partition(" ")
    return key.strip() or None if kind.lower() == "bearer" else None


def address_of(scope: Scope) -> str:
    """The other end's address, by which failures are counted."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
