"""Texts of any kind as the values of headers, as the newer revision has them. No I/O."""

import base64
import re
from typing import Final

_PLAIN: Final = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
_WRAPPED: Final = re.compile(r"=\?base64\?.*\?=")


def encoded(value: str) -> str:
    """Text as a header can carry it."""
    if _PLAIN.fullmatch(value) and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="
