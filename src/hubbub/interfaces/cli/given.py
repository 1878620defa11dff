"""Pairs and secrets, as they are typed."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hubbub.kernel.errors import Invalid

SECRET_CHARS_MAX: Final = 65_536


def pairs_of(texts: Iterable[str], sign: str, option: str, expected: str) -> dict[str, str]:
    """What `--env NAME=value` and `--header 'Name: value'` name.

    Raises:
        Invalid: there is no sign between two things.
    """
    found = {}
    for text in texts:
        key, there, value = text.partition(sign)
        if not (there and key.strip()):
            raise unfit(option, expected)
        found[key.strip()] = value.strip() if sign == ":" else value
    return found


def secrets_of(texts: Iterable[str]) -> dict[str, str]:
    """What `--secret NAME=FILE` names, read from there, or from standard input for `-`. Others
    could read them on a command line.

    Raises:
        Invalid: it cannot be read, or is empty.
    """
    found = {}
    for key, source in pairs_of(texts, "=", "--secret", "NAME=FILE, or NAME=-").items():
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise unfit("--secret", f"a file of text: {error}") from error
        found[key] = text.strip()
        if not 0 < len(found[key]) <= SECRET_CHARS_MAX:
            raise unfit("--secret", f"1 to {SECRET_CHARS_MAX} characters in {source}")
    return found


def unfit(field: str, expected: str) -> Invalid:
    return Invalid("that does not fit", errors=[{"field": field, "expected": expected}])
