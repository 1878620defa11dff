"""Links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.support.examples import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changes").glob("*.md")),
]
FENCES = re.compile(r"^```.*?^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.M)


def text_of(page: Path) -> str:
    return FENCES.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Where the headings of a page are found, as forges have it."""
    found: set[str] = set()
    for heading in HEADING.findall(text_of(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w -]", "", plain.lower()).strip().replace(" ", "-")
        found.add(
            f"{anchor}-{1 + sum(each == anchor for each in found)}" if anchor in found else anchor
        )
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for found in LINK.findall(text_of(page)):
        target = found[0] or found[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_first():
    seen, found = set(), [ROOT / "README.md"]
    while found:
        page = found.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = [each[0] or each[1] for each in LINK.findall(text_of(page))]
        found += [
            (page.parent / link.partition("#")[0]).resolve() for link in links if "//" not in link
        ]
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.name != "contract.md"}
    assert pages - seen == set()
