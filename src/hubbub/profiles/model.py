"""What a profile is, and what it chooses."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

import msgspec

Mode = Literal["tools", "search"]
"""Whether its tools are shown themselves, or are to be found with a few that find and call."""

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Patterns = Annotated[tuple[Pattern, ...], msgspec.Meta(max_length=200)]
"""`*` stands for anything, `?` for a character, `[ab]` for one of these; `!` before a pattern takes
away what the others chose. None at all choose everything."""

ProfileName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", min_length=1, max_length=64)
]

DEFAULT: Final = "default"
"""The profile, if there is one, that says what is shown where none is named."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A chosen set of tools. What is chosen meets all of `servers`, `groups` and `tools`."""

    id: str
    name: str
    description: str
    mode: Mode
    servers: tuple[str, ...]
    """Names of clients and spokes, and `hub`."""
    groups: tuple[str, ...]
    tools: tuple[str, ...]
    """Ids of operations, or names as servers have them."""
    pinned: tuple[str, ...]
    """Tools that are shown even where the others are to be found."""
    created_at: datetime
    updated_at: datetime

    def shows(self, server: str, group: str) -> bool:
        """Whether anything of this server may be shown."""
        return chosen(self.servers, server) and chosen(self.groups, group)

    def chooses(self, server: str, group: str, *names: str) -> bool:
        """Whether the tool of this server that has these names is one of the set."""
        return self.shows(server, group) and chosen(self.tools, *names)

    def pins(self, *names: str) -> bool:
        """Whether the tool that has these names is always shown."""
        return bool(self.pinned) and chosen(self.pinned, *names)


class ProfileChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A profile is new, another than it was, or gone."""

    name: str
    profile: Profile | None
    """As it is now."""


def chosen(patterns: Sequence[str], *names: str) -> bool:
    """Whether patterns choose something that has these names."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if _any(unwanted, names):
        return False
    return not wanted or _any(wanted, names)


def _any(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
