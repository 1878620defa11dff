"""docs/contract.md, read: every Markdown table in it whose first column is `id`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).parents[2] / "docs" / "contract.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    id: str
    cells: dict[str, str] = field(hash=False)

    def __getitem__(self, column: str) -> str:
        """What the cell says, without the backticks around a single name or value."""
        cell = self.cells[column]
        return cell[1:-1] if cell.startswith("`") and cell.count("`") == 2 else cell

    def names(self, column: str) -> list[str]:
        """The names or values of a cell that holds several."""
        return [name.strip("`") for name in self.cells[column].split(", ")]


def rows() -> list[Row]:
    return list(_rows(PATH.read_text().splitlines()))


def of_kind(kind: str) -> list[Row]:
    """The rows whose ids are these letters and a number."""
    return [row for row in rows() if row.id.rstrip("0123456789").rstrip("-") == kind]


def _rows(lines: list[str]) -> Iterator[Row]:
    heading: list[str] = []
    for line in lines:
        if not line.startswith("| "):
            heading = []
            continue
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        if not heading:
            heading = cells
        elif heading[0] == "id" and cells[0] != "---":
            yield Row(id=cells[0], cells=dict(zip(heading, cells, strict=True)))
