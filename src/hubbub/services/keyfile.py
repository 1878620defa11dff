"""The file in which the keys stand that secrets are encrypted with. For its owner alone."""

import asyncio
import logging
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from hubbub.kernel.errors import Invalid
from hubbub.services import store
from hubbub.services.encryption import Ring, new_entry, ring_of
from hubbub.storage.database import Database

log = logging.getLogger(__name__)

BYTES_MAX: Final = 65_536
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

HEAD: Final = """\
# What the secrets in the database are encrypted with: without this file nobody can read them.
# Keep a copy away from the copies of the database. To rotate, put a new key, v2:..., on top.
"""


async def opened(path: Path, database: Database) -> Ring:
    """The keys in a file, which is made if there is none.

    Raises:
        Invalid: if it cannot be read, or others can.
    """
    if not await asyncio.to_thread(path.exists):
        async with database.reading() as tx:
            newest = await store.newest_version(tx)
        if newest:
            # A number that was never used: what needs the lost key says so, and is not mistaken
            # for something that was tampered with.
            log.error("there are secrets, and no key file at %s: they cannot be read", path)
        await asyncio.to_thread(make, path, newest + 1)
    return await asyncio.to_thread(read, path)


def read(path: Path) -> Ring:
    """The keys in a file.

    Raises:
        Invalid: if it cannot be read, or others can.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(path, f"a readable text: {error}") from error
    # Elsewhere these bits say nothing.
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & OTHERS:
        raise _invalid(path, "a file that nobody else can read: chmod 600")
    return ring_of(text)


def make(path: Path, version: int) -> None:
    """A file with one new key, whole from its first moment. One that is there stays."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{HEAD}{new_entry(version)}\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another hub on this machine was quicker
                os.link(name, path)
        finally:
            os.unlink(name)
        _keep(path.parent)
    except OSError as error:
        raise _invalid(path, f"a place where a file can be made: {error}") from error


def _keep(folder: Path) -> None:
    """See that the file's name outlives a power cut: what is encrypted with its key will."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _invalid(path: Path, expected: str) -> Invalid:
    return Invalid(
        f"the key file {path}: expected {expected}",
        errors=[{"field": "key_file", "expected": expected}],
    )
