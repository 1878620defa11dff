"""Names under which tools and prompts of many servers are shown side by side. No I/O.

A name is the server's own where only one server has it, and otherwise `server__name`. Clients put a
prefix of their own before it and models take no more than 64 characters, so it is kept short: what
is too long is cut, and ends in a mark that is made of the whole. The same servers make the same
names, in whatever order they came.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

NAME_CHARS_MAX: Final = 46
MARK_CHARS: Final = 8
SEPARATOR: Final = "__"

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Named(NamedTuple):
    """Something that a server has under a name of its own."""

    key: str
    """What it is found by here."""
    server: str
    own: str


def published(named: Iterable[Named], taken: Collection[str] = ()) -> dict[str, str]:
    """The key of everything by the name under which it is shown.

    Args:
        taken: names that are not to be given to anything.
    """
    items = sorted(named, key=lambda each: (each.server, each.own, each.key))
    bare = Counter(fit(each.own) for each in items)
    full = Counter(qualified(each.server, each.own) for each in items)
    names: dict[str, str] = {}
    for each in items:
        name = fit(each.own)
        if bare[name] > 1 or name in taken:
            name = qualified(each.server, each.own)
            if full[name] > 1 or name in taken or name in bare:
                name = _cut(name, f"{each.server}\0{each.own}\0{each.key}", always=True)
        names[name] = each.key
    return names


def qualified(server: str, own: str) -> str:
    """The name that something has whatever else there is, as long as its server keeps its own."""
    whole = f"{_plain(server)}{SEPARATOR}{_plain(own)}"
    return _cut(whole, f"{server}\0{own}", always=False)


def fit(own: str) -> str:
    """A name as clients and models take it: the same one, nearly always."""
    plain = _plain(own)
    return _cut(plain, own, always=False)


def _plain(text: str) -> str:
    return _UNFIT.sub("_", text) or "_"


def _cut(name: str, whole: str, *, always: bool) -> str:
    if len(name) <= NAME_CHARS_MAX and not always:
        return name
    mark = hashlib.sha256(whole.encode()).hexdigest()[:MARK_CHARS]
    return f"{name[: NAME_CHARS_MAX - MARK_CHARS - 1]}_{mark}"
