"""From settings to the model that they choose."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Invalid
from hubbub.search.embedding import Embedder
from hubbub.storage.database import Database

BUILT_IN: Final = "built-in"
NONE: Final = "none"
FASTEMBED: Final = "fastembed"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the settings say of a model."""

    embedder: str = BUILT_IN
    model: str = ""
    folder: str = ""
    key_file: str = ""

    @property
    def by_meaning(self) -> bool:
        """Whether there is to be any model."""
        return self.embedder != NONE


def chosen(choice: Choice, database: Database, now: Clock) -> Embedder | None:
    """The model that was chosen; none if it is the hub's own, or none at all.

    Raises:
        Invalid: names the setting that is off.
    """
    embedder = made(choice)
    if embedder is None:
        return None
    # They stand on numpy, which a hub that searches by its own model loads when it is first asked.
    remembering = import_module("hubbub.search.remembering").Remembering
    remembered: Embedder = remembering(embedder, database, now)
    return remembered


def made(choice: Choice) -> Embedder | None:
    """The same, as it is: nothing that it says is kept."""
    if choice.embedder in (BUILT_IN, NONE):
        return None
    if not choice.model:
        raise _invalid("embedder_model", "the name of a model, for this embedder")
    embedder: Embedder
    if choice.embedder == FASTEMBED:
        folder = Path(choice.folder) if choice.folder else None
        embedder = import_module("hubbub.search.onnx").OnnxEmbedder(choice.model, folder)
    elif choice.embedder.startswith(("http://", "https://")):
        key_file = Path(choice.key_file) if choice.key_file else None
        endpoint = import_module("hubbub.search.endpoint").EndpointEmbedder
        embedder = endpoint(choice.embedder, choice.model, key_file)
    else:
        raise _invalid("embedder", f"{BUILT_IN}, {NONE}, {FASTEMBED} or an address")
    return embedder


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])
