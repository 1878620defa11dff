"""Identifiers: random where order means nothing, sortable where rows are read in order."""

import os
import re
import time
import uuid
from itertools import count
from typing import Final

_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def new_id() -> str:
    """A random id (UUIDv4), for everything that has no natural order."""
    return str(uuid.uuid4())


def looks_like_id(text: str) -> bool:
    """Whether a name could be taken for an id that was made here."""
    return _SHAPE.fullmatch(text) is not None


_counter = count(int.from_bytes(os.urandom(2), "big"))
_process = f"8{os.urandom(6).hex()[:11]}"


def sortable_id() -> str:
    """A UUIDv7: 48 bits of milliseconds, then a counter, then what tells processes apart.

    Call records are written by the thousand; ids that grow keep their index pages together.
    """
    moment = f"{time.time_ns() // 1_000_000:012x}"
    n = next(_counter) & 0xFFFFFF
    return f"{moment[:8]}-{moment[8:]}-7{n >> 12:03x}-8{n & 0xFFF:03x}-{_process}"
