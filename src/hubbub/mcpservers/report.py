"""What an ingestion came to."""

from dataclasses import dataclass, field

from hubbub.mcpservers.snapshots import REFUSALS_MAX


@dataclass
class Report:
    """What an ingestion did."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    embedded: int = 0
    """Texts that were given to the model."""
    refused: list[str] = field(default_factory=list)
    """What was left out, and why; no more than a hundred."""

    def refuse(self, why: str) -> None:
        """Something was left out."""
        if len(self.refused) < REFUSALS_MAX:
            self.refused.append(why)


class Count:
    """What a plan came to. A plan is made more than once, and counts once."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """A plan is made anew."""
        self._added = self._changed = 0
        self._refused: list[str] = []

    def put(self, new: bool) -> None:
        """Something is added or changed."""
        self._added += new
        self._changed += not new

    def refuse(self, why: str) -> None:
        """Something is left out."""
        self._refused.append(why)

    def add_to(self, report: Report) -> None:
        """It was carried out."""
        report.added += self._added
        report.changed += self._changed
        for why in self._refused:
            report.refuse(why)
