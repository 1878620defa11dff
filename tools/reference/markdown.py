"""What all pages are made with."""

import re
from collections.abc import Iterable, Sequence


def anchor(heading: str) -> str:
    """Where a heading is found on its page, as forges have it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def link(heading: str, text: str = "") -> str:
    """The way to a heading of the same page."""
    return f"[{text or heading}](#{anchor(heading)})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text, each cell on one line."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
