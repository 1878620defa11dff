"""Figures as people read them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What was promised, what was measured, and the floor that both stand on."""

    what: str
    unit: str
    limit: float
    measured: float
    at_least: bool = False
    """Whether the limit is a lower one."""
    floor: float | None = None
    """The same work without a hub, measured in this run."""
    floor_then: float | None = None
    """The floor when the limit was set: a slower machine moves both."""

    @property
    def met(self) -> bool:
        return _within(self.measured, self.limit, self.at_least)

    @property
    def met_by_ratio(self) -> bool | None:
        """Whether it is met on this machine as it is now; None without a floor."""
        if self.floor is None or self.floor_then is None:
            return None
        return _within(self.measured / self.floor, self.limit / self.floor_then, self.at_least)

    def row(self) -> list[str]:
        """A line of the table of budgets."""
        ratio = ""
        if self.floor and self.floor_then:
            allowed = f"{'>=' if self.at_least else '<='} x{self.limit / self.floor_then:.2f}"
            verdict = "MET" if self.met_by_ratio else "MISSED"
            ratio = f"x{self.measured / self.floor:.2f} of the floor ({allowed}): {verdict}"
        return [
            self.what,
            f"{'>=' if self.at_least else '<='} {number(self.limit)} {self.unit}",
            f"{number(self.measured)} {self.unit}",
            "MET" if self.met else "MISSED",
            ratio,
        ]

    def figures(self) -> dict[str, Any]:
        """For the file of numbers."""
        return {**asdict(self), "met": self.met, "met_by_ratio": self.met_by_ratio}


def _within(value: float, limit: float, at_least: bool) -> bool:
    return value >= limit if at_least else value <= limit


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns: the first to the left, the others to the right."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    print(f"\n{title}" if title else "")
    for row in [head, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "   ".join([row[0].ljust(widths[0]), *cells]).rstrip(), flush=True)


def budgets(found: Sequence[Budget]) -> None:
    """Print what was promised beside what is."""
    if found:
        table("budgets", ["", "limit", "measured", "", ""], [budget.row() for budget in found])


def number(value: float) -> str:
    """Three digits that count, and no more."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
