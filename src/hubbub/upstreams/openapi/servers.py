"""Where an API is. No I/O."""

import re
from urllib.parse import urlsplit

from hubbub.kernel.errors import Invalid
from hubbub.upstreams.openapi.document import Document, Place, resolved

_PORTS = {"http": 80, "https": 443}


def base_url_of(document: Document) -> str:
    """The URL before all paths, as the document's first usable server has it.

    Raises:
        Invalid: if it names none, or only a part of one; then somebody has to say it.
    """
    servers = [place for _, place in document.root.each("servers")]
    for url in [url_of(server) for server in servers] or [_beside(document.root, "/")]:
        if fit(url):
            return url
    raise Invalid(
        "the document does not say where the API is",
        errors=[{"field": "baseUrl", "expected": "the http or https URL before all paths"}],
    )


def url_of(server: Place) -> str:
    """The URL of a server, its variables as by default, read from where the document stands."""
    variables = server.at("variables").fields

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        return str(variable.get("default", "")) if isinstance(variable, dict) else match[0]

    return _beside(server, re.sub(r"\{([^{}]+)\}", default, str(server.fields.get("url", "/"))))


def _beside(place: Place, url: str) -> str:
    return resolved(place.url, url).partition("#")[0].rstrip("/")


def fit(url: str) -> bool:
    """Whether requests can be sent there."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in _PORTS
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
            and parts.username is None
            and not re.search(r"[\x00-\x20\x7f{}\\]", url)
        )
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials are meant for."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)
