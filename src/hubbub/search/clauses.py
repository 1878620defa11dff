"""A long wish taken apart: who says several things at once mostly needs several operations."""

import re
from typing import Final

from hubbub.search.analysis import terms

CLAUSES_MAX: Final = 6
CLAUSE_TERMS_MIN: Final = 3
"""With fewer words than these a clause says too little to be looked for alone."""
_ENDS: Final = re.compile(
    r"(?<=[.!?;])\s+|\n+"
    r"|,?\s*\b(?:and then|then|and also|also|as well as|after that|afterwards|finally|next)\b"
    r"[,\s]*",
    re.IGNORECASE,
)


def clauses(text: str) -> list[str]:
    """The parts of a text that each say enough to be looked for, if there are several."""
    parts = [part for part in _ENDS.split(text) if len(terms(part)) >= CLAUSE_TERMS_MIN]
    return parts[:CLAUSES_MAX] if len(parts) > 1 else []
