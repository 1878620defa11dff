"""Making keys, and recognising them. Only their hashes are kept."""

import hashlib
import os
from base64 import urlsafe_b64encode
from typing import Final

PREFIX: Final = "hub_"
SHOWN_CHARS: Final = 12


def new_key() -> str:
    """256 random bits. Shown once, never stored."""
    return PREFIX + urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def hash_of(key: str) -> str:
    """What is stored of a key. One fast hash is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """What of a key may be shown again: nothing if it may be something else that is secret."""
    return key[:SHOWN_CHARS] if key.startswith(PREFIX) and len(key) > 2 * SHOWN_CHARS else ""
