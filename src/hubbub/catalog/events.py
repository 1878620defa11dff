"""What happens to the catalogue."""

from dataclasses import dataclass

from hubbub.catalog.store import Stored


@dataclass(frozen=True, kw_only=True)
class OperationsDefined:
    """Definitions were stored, as new or in place of old ones."""

    operations: tuple[Stored, ...]


@dataclass(frozen=True, kw_only=True)
class OperationsRemoved:
    """Definitions are gone."""

    rows: tuple[str, ...]
