"""Which registry entry a workload is made from: remote by URL, container by package. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from hubbub.mcpservers.commands import without_version

_PORTS: Final = {"http": 80, "https": 443}
_HUB: Final = "docker.io"

Normaliser = Callable[["Identity"], str]
"""Gives two identities one text if they are to be taken for the same."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a server is known by. Nothing else of it is ever compared."""

    remote: bool
    url: str | None = None
    package: str | None = None

    @property
    def text(self) -> str:
        """
        Raises:
            ValueError: if it lacks what servers of its kind are known by.
        """
        text = self.url if self.remote else self.package
        if not text:
            raise ValueError("a remote server needs a URL, any other a package")
        return text


def exact(identity: Identity) -> str:
    """The same only if every character is."""
    return identity.text


def tolerant(identity: Identity) -> str:
    """The same also with another tag or digest, another case, a default port, a closing slash."""
    text = identity.text.strip()
    return _url(text) if identity.remote else _package(text)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return text
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _PORTS.get(scheme):
        host = f"{host}:{port}"
    if parts.username is not None:
        # Whoever it is that is let in belongs to the address, in the case in which it is written.
        host = f"{parts.netloc.rpartition('@')[0]}@{host}"
    return urlunsplit((scheme, host, parts.path.rstrip("/"), parts.query, ""))


def _package(text: str) -> str:
    """`Docker.io/mcp/fetch:1.0@sha256:...` and `mcp/fetch` are one image; `npm:` and the like have
    versions instead of tags."""
    text = text.partition("@sha256:")[0].lower()
    for scheme in ("docker://", "oci://", "oci:", "https://"):
        text = text.removeprefix(scheme)
    kind, colon, name = text.partition(":")
    if colon and kind in ("npm", "pypi", "nuget", "npx", "uvx", "go", "mcpb"):
        return f"{kind}:{without_version(name.removeprefix('//'))}"
    text = text.removeprefix(f"{_HUB}/").removeprefix("index.docker.io/").removeprefix("library/")
    head, slash, last = text.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}".rstrip("/")
