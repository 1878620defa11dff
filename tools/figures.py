"""Put what the benchmarks found on the first page, between its marks: every budget, met or not.

./hub dev python -m benchmarks --json FILE
./hub dev python tools/figures.py FILE
"""

import re
import sys
from pathlib import Path
from typing import Final

import msgspec

PAGE: Final = Path(__file__).parents[1] / "README.md"
MARKED: Final = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.S)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the benchmarks' own table."""

    what: str
    unit: str
    limit: float
    measured: float
    at_least: bool
    floor: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the benchmarks write, as far as it is shown."""

    budgets: list[Budget]


def main(file: Path) -> None:
    figures = msgspec.json.decode(file.read_bytes(), type=Figures)
    PAGE.write_text(filled(PAGE.read_text(), figures))


def filled(page: str, figures: Figures) -> str:
    """The page with these figures in place of those that it had."""
    rows = ["| | measured | aim | floor, in the same run |", "|---|---|---|---|"]
    rows += [_row(budget) for budget in figures.budgets]
    return MARKED.sub("\n".join(rows) + "\n", page)


def _row(budget: Budget) -> str:
    least = budget.at_least
    met = budget.measured >= budget.limit if least else budget.measured <= budget.limit
    aim = (
        f"{'≥' if least else '≤'} {_number(budget.limit)} {budget.unit}{'' if met else ', missed'}"
    )
    floor = "" if budget.floor is None else f"{_number(budget.floor)} {budget.unit}"
    return f"| {budget.what} | {_number(budget.measured)} {budget.unit} | {aim} | {floor} |"


def _number(value: float) -> str:
    """Three digits that count, and no more."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
