"""Secrets, encrypted: AES-256-GCM under keys that are derived from a ring of keys. No I/O.

What is bound to an encrypted value is whose it is: one that is copied to another client, or to
another name, cannot be read there.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hubbub.kernel.errors import Conflict, Invalid
from hubbub.protocol.codec import encode

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
IV_BYTES: Final = 12
# Part of the format: what was encrypted with another number cannot be read with this one.
ITERATIONS: Final = 100_000
# Each took some 20 ms to derive. A client seldom has more than a few secrets.
DERIVED_MAX: Final = 2048

ENTRY: Final = re.compile(r"v([1-9][0-9]{0,8}):([A-Za-z0-9+/_-]+=*)")


class KeyMissing(Conflict):
    """A value is encrypted with a key that the ring does not have. It is left as it is."""


class Unreadable(Conflict):
    """A value that is not what was stored at this place with this key."""


class Encrypted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A value that can be stored. Bytes are base64 in JSON."""

    key_version: int
    salt: bytes
    iv: bytes
    data: bytes


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an encrypted value stands, and is good."""

    client_id: str
    name: str


class Ring:
    """Keys by their version. New values are encrypted with the current one, and all can decrypt.

    Deriving is slow on purpose, so neither way is taken on the event loop.
    """

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        self._keys = dict(keys)
        self.current = current
        self._derived = lru_cache(maxsize=DERIVED_MAX)(self._derive)

    def __contains__(self, version: int) -> bool:
        return version in self._keys

    def encrypt(self, clear: str, place: Place) -> Encrypted:
        salt, iv = os.urandom(SALT_BYTES), os.urandom(IV_BYTES)
        key = self._derived(self.current, salt)
        data = AESGCM(key).encrypt(iv, clear.encode(), _bound(place))
        return Encrypted(key_version=self.current, salt=salt, iv=iv, data=data)

    def decrypt(self, value: Encrypted, place: Place) -> str:
        """What was encrypted.

        Raises:
            KeyMissing: if the ring does not have its key.
            Unreadable: if it was changed, or was encrypted for another place or with another key.
        """
        if value.key_version not in self._keys:
            raise KeyMissing(
                "the key that the secret is encrypted with is not in the key file",
                client=place.client_id,
                secret=place.name,
                version=value.key_version,
            )
        key = self._derived(value.key_version, value.salt)
        try:
            return AESGCM(key).decrypt(value.iv, value.data, _bound(place)).decode()
        except (InvalidTag, ValueError) as error:
            raise unreadable(place) from error

    def _derive(self, version: int, salt: bytes) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", self._keys[version], salt, ITERATIONS, KEY_BYTES)


def unreadable(place: Place) -> Unreadable:
    return Unreadable(
        "the secret cannot be read: it is not what was stored here with this key",
        client=place.client_id,
        secret=place.name,
    )


def ring_of(text: str) -> Ring:
    """The ring that a key file tells of: `v2:BASE64`, `v1:BASE64`, the current one first, each on
    a line of its own or after a comma.

    Raises:
        Invalid: says which entry is wrong, not what stands there.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
    keys: dict[int, bytes] = {}
    for n, entry in enumerate(entries, 1):
        version, key = _entry(n, entry)
        if version in keys:
            raise _invalid(f"entry {n} to have a version of its own, not v{version} again")
        keys[version] = key
    if not keys:
        raise _invalid("at least one entry")
    return Ring(keys, next(iter(keys)))


def new_entry(version: int) -> str:
    """A new key, as it stands in a key file."""
    return f"v{version}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def _entry(n: int, entry: str) -> tuple[int, bytes]:
    expected = f"entry {n} to be v<number>:<{KEY_BYTES} bytes in base64>"
    match = ENTRY.fullmatch(entry)
    if match is None:
        raise _invalid(expected)
    try:
        key = base64.b64decode(match[2], altchars=b"-_" if set(match[2]) & set("-_") else None)
    except binascii.Error as error:
        raise _invalid(expected) from error
    if len(key) != KEY_BYTES:
        raise _invalid(expected)
    return int(match[1]), key


def _bound(place: Place) -> bytes:
    return encode([place.client_id, place.name])


def _invalid(expected: str) -> Invalid:
    return Invalid(
        f"the key file: expected {expected}", errors=[{"field": "key_file", "expected": expected}]
    )
