"""The hub's pages that need no key: whether it answers, and whether it is ready."""

import http.client
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import msgspec

from hubbub.kernel.errors import Unavailable
from hubbub.protocol.codec import UNREADABLE

ANSWER_S: Final = 5.0
PAGE_BYTES_MAX: Final = 1024 * 1024

# What is between this machine and the hub is the hub's affair, not that of a proxy for browsing.
_open = build_opener(ProxyHandler({})).open


def page(hub: str, path: str) -> dict[str, Any]:
    """A page of JSON, under whatever status: one that is not ready says so in its page.

    Raises:
        Unavailable: nobody answers, or somebody who is no hub.
    """
    try:
        with _open(f"{hub}{path}", timeout=ANSWER_S) as response:
            return _read(response.read(PAGE_BYTES_MAX), hub)
    except HTTPError as error:
        with error:
            return _read(error.read(PAGE_BYTES_MAX), hub)
    except (URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no hub answers there: {hub}", reason=str(reason)) from error


def _read(body: bytes, hub: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"what answers there is no hub: {hub}")
    return found
