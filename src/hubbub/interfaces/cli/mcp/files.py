"""Files of other programs: read whole, replaced whole, with a copy beside them of what was."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from hubbub.kernel.errors import Conflict, Invalid, NotFound

BYTES_MAX: Final = 16 * 1024 * 1024
BACKUP: Final = ".hubbub-backup"


def text_of(file: Path) -> str | None:
    """What a file says; None where there is none.

    Raises:
        Invalid: it cannot be read, or is no text.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise _unusable(file, f"at most {BYTES_MAX} bytes")
        return content.decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, f"a readable file of text: {error}") from error


def found(file: Path) -> str:
    """What a file says that has to be there."""
    text = text_of(file)
    if text is None:
        raise NotFound(f"there is no file {file}", file=str(file))
    return text


def backup_of(file: Path) -> Path:
    return file.with_name(file.name + BACKUP)


def replace(file: Path, text: str, *, before: str | None, mode: int | None = None) -> None:
    """Put a text in place of another, all of it or nothing, with the rights that the file has or
    those that are given.

    Raises:
        Conflict: somebody else changed the file meanwhile.
        Invalid: it cannot be written.
    """
    target = file.resolve()  # a link stays one
    if text_of(target) != before:
        raise Conflict("the file was changed meanwhile: nothing is written", file=str(file))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".hubbub-")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            if mode is None and before is not None:
                mode = target.stat().st_mode
            if mode is not None:
                os.chmod(name, stat.S_IMODE(mode))
            os.replace(name, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise _unusable(file, f"a file that can be written: {error}") from error


def remove(file: Path) -> None:
    """Remove a file, if it is there."""
    try:
        file.resolve().unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(file, f"a file that can be removed: {error}") from error


def _unusable(file: Path, expected: str) -> Invalid:
    return Invalid("the file cannot be used", errors=[{"field": str(file), "expected": expected}])
