"""Which URIs a template makes. No I/O."""

import re
from functools import lru_cache
from typing import Final

TEMPLATE_CHARS_MAX: Final = 2000

_EXPRESSION: Final = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")
_VALUES: Final = {
    "": r"[^/?#]*",
    "+": r".*",
    "#": r"(?:\#.*)?",
    ".": r"(?:\.[^/?#]*)?",
    "/": r"(?:/[^?#]*)?",
    ";": r"(?:;[^/?#]*)?",
    "?": r"(?:\?[^#]*)?",
    "&": r"(?:&[^#]*)?",
}
"""What an expression of RFC 6570 may become, generously."""


def matches(template: str, uri: str) -> bool:
    """Whether this URI is one that the template makes."""
    pattern = _pattern(template)
    return pattern is not None and pattern.fullmatch(uri) is not None


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern[str] | None:
    if len(template) > TEMPLATE_CHARS_MAX:
        return None
    parts: list[str] = []
    end = 0
    for found in _EXPRESSION.finditer(template):
        parts.append(re.escape(template[end : found.start()]))
        parts.append(_VALUES[found.group(1)])
        end = found.end()
    parts.append(re.escape(template[end:]))
    return re.compile("".join(parts), re.DOTALL)
