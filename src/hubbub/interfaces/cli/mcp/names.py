"""Names of servers, made fit to be the namespace of their operations. No I/O."""

import re
from typing import Final

NAME_CHARS_MAX: Final = 64


def fit(name: str) -> str:
    """A name as a namespace can have it: `My Server (v2)` becomes `My-Server-v2`."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    # Two dashes below each other part a server's name from its tool's.
    plain = re.sub(r"__+", "_", plain).strip("-_")
    if not plain or not plain[0].isalpha():
        plain = f"mcp-{plain}".strip("-")
    return plain[:NAME_CHARS_MAX].rstrip("-_")
