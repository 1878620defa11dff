"""What people call an operation of a spoke. No I/O.

The hub knows `dev.fs.read` of a spoke as `dev.{id of the spoke}.fs.read`. People read and type
`dev.fs.read`, and the spoke's name beside it.
"""

import re
from typing import Final

_SPOKE: Final = re.compile(r"^([^.]+)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(.+)$")


def own_name(id: str) -> str:
    """An operation's id as its provider has it."""
    match = _SPOKE.match(id)
    return f"{match[1]}.{match[3]}" if match else id


def spoke_of(id: str) -> str | None:
    """The id of the one spoke whose operation this is; None where there is no such thing."""
    match = _SPOKE.match(id)
    return match[2] if match else None
