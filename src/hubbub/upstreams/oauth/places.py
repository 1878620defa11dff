"""Where the hub may ask, and where a person may be sent. No I/O."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def permitted(url: str, server: str) -> bool:
    """Whether a URL that `server` names may be asked. What the hub can reach on its own machine is
    nobody's business, unless the server itself is there."""
    asked, known = urlsplit(url), urlsplit(server)
    if (asked.scheme, asked.hostname) == (known.scheme, known.hostname):
        return True
    if on_this_machine(asked.hostname):
        return on_this_machine(known.hostname)
    return asked.scheme == "https"


def on_this_machine(host: str | None) -> bool:
    """Whether nobody else can reach a host, or read what goes there."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
