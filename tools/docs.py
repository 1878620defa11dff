"""Write docs/reference from the code.

    tools/docs.py            write what has changed
    tools/docs.py --check    write nothing; name what is stale, and exit with 1

Operations and their schemas come from a hub that is opened on a temporary file, commands from the
command line, tables from their metadata, and sentences from docstrings.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reference import clients, commands, failures, operations, settings, tables

from hubbub.app import opened
from hubbub.operations.operation import Operation
from hubbub.settings import Settings

TARGET: Final = Path(__file__).parents[1] / "docs" / "reference"
MADE: Final = "<!-- Made by tools/docs.py. Change the code instead, and run `make docs`. -->"


def main(words: Sequence[str]) -> int:
    stale = {name: text for name, text in pages().items() if _read(TARGET / name) != text}
    if "--check" in words:
        for name in stale:
            print(f"docs/reference/{name} is stale: run `make docs`")
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, text in stale.items():
        (TARGET / name).write_text(text)
        print(f"docs/reference/{name}")
    return 0


def pages() -> dict[str, str]:
    """Every page of the reference by its name."""
    made = {
        "operations.md": operations.page(asyncio.run(_own_operations())),
        "errors.md": failures.page(),
        "settings.md": settings.page(),
        "cli.md": commands.page(),
        "tables.md": tables.page(),
        "client.md": clients.page(),
    }
    return {name: f"{MADE}\n\n{text.strip()}\n" for name, text in made.items()}


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


async def _own_operations() -> list[Operation]:
    """The hub's own operations, from a hub that is opened and closed again."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Settings(database=f"sqlite:///{folder}/hub.sqlite")) as house:
            return sorted(house.operations, key=lambda each: each.spec.id)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
