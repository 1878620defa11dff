"""Who lets in: from a server's URL to its authorization server, by RFC 9728 and RFC 8414."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hubbub.kernel.errors import Unavailable
from hubbub.upstreams.oauth.model import Issuer, Resource
from hubbub.upstreams.oauth.web import Web

RESOURCE: Final = "/.well-known/oauth-protected-resource"
AUTHORIZATION: Final = "/.well-known/oauth-authorization-server"
OPENID: Final = "/.well-known/openid-configuration"
S256: Final = "S256"


async def resource(web: Web, url: str, told: str | None) -> Resource:
    """What protects the server at `url`.

    Args:
        told: where the server itself says that this stands.

    Raises:
        Unavailable: it cannot be found out, or is about something else.
    """
    found: Resource | None = await _first(web, [told] if told else _resource_urls(url), Resource)
    if found is None:
        raise Unavailable(f"{url} does not say who lets in", url=url)
    if not _covers(found.resource, url):
        raise Unavailable(f"what {url} says of itself is about another server", url=url)
    if not found.authorization_servers:
        raise Unavailable(f"{url} names nobody who lets in", url=url)
    return found


async def issuer(web: Web, name: str) -> Issuer:
    """The authorization server of this name.

    Raises:
        Unavailable: it cannot be found, is another, or cannot be used safely.
    """
    found: Issuer | None = await _first(web, _issuer_urls(name), Issuer)
    if found is None:
        raise Unavailable(f"{name} does not say how it lets in", issuer=name)
    if found.issuer != name:
        # Whoever answers here may want what is meant for another.
        raise Unavailable(f"{name} calls itself otherwise", issuer=name)
    if S256 not in found.code_challenge_methods_supported:
        raise Unavailable(f"{name} does not know PKCE", issuer=name)
    return found


async def _first(web: Web, urls: Iterable[str], shape: Any) -> Any:
    for url in urls:
        told = await web.fetched(url)
        if told is None:
            continue
        try:
            return msgspec.json.decode(told, type=shape)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Unavailable(f"{url} holds something else: {error}", url=url) from error
    return None


def _resource_urls(url: str) -> list[str]:
    origin, path = _parts(url)
    return list(dict.fromkeys((f"{origin}{RESOURCE}{path}", f"{origin}{RESOURCE}")))


def _issuer_urls(name: str) -> list[str]:
    origin, path = _parts(name)
    inserted = [f"{origin}{AUTHORIZATION}{path}", f"{origin}{OPENID}{path}"]
    return [*inserted, f"{origin}{path}{OPENID}"] if path else inserted


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def _covers(resource: str, url: str) -> bool:
    """Whether what is said of `resource` is said of `url`: it is the same, or it is above."""
    origin, path = _parts(resource)
    own_origin, own_path = _parts(url)
    if origin.lower() != own_origin.lower():
        return False
    return own_path == path or own_path.startswith(f"{path}/")
