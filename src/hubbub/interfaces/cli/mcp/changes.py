"""A change to a client's settings that can be looked at, made, and undone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubbub.interfaces.cli.mcp import files, writing
from hubbub.interfaces.cli.mcp.clients import Client
from hubbub.kernel.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a file says, and is to say."""

    client: Client
    file: Path
    before: str | None
    """None where there is no file."""
    after: str | None
    """None where there is to be none."""
    backup: str | None = None
    """What is to be kept beside the file: nothing at all if there was none. None for no copy."""

    @property
    def needed(self) -> bool:
        return self.before != self.after


def adding(client: Client, file: Path, name: str, entry: dict[str, Any]) -> Change:
    """The change that puts the hub into a file.

    Raises:
        Invalid: the file cannot be read, or not be changed.
    """
    before = files.text_of(file)
    text = before or ""
    after = writing.with_entry(client, text, name, entry)
    # A copy from before the hub was there is worth more than one from after.
    old = writing.entry_in(client, text, name) is not None
    backup = None if old and files.backup_of(file).exists() else text
    return Change(client=client, file=file, before=before, after=after, backup=backup)


def undoing(client: Client, file: Path, name: str) -> Change:
    """The change that takes the hub out again. The file becomes what it was, unless it was changed
    since: then only the entry does.

    Raises:
        NotFound: the hub is not there.
    """
    before = files.text_of(file)
    entry = None if before is None else writing.entry_in(client, before, name)
    if before is None or entry is None:
        raise NotFound(f"{file} has no entry {name}", file=str(file))
    kept = files.text_of(files.backup_of(file))
    if kept is not None and writing.with_entry(client, kept, name, entry) == before:
        return Change(client=client, file=file, before=before, after=kept or None)
    old = None if kept is None else writing.entry_in(client, kept, name)
    if old is None:
        after = writing.without_entry(client, before, name)
    else:
        after = writing.with_entry(client, before, name, old)
    return Change(client=client, file=file, before=before, after=after)


def made(change: Change) -> None:
    """Make a change, the copy first."""
    if change.backup is not None:
        backup = files.backup_of(change.file)
        mode = None if change.before is None else change.file.stat().st_mode
        files.replace(backup, change.backup, before=files.text_of(backup), mode=mode)
    if change.after is None:
        files.remove(change.file)
    else:
        files.replace(change.file, change.after, before=change.before)


def undone(change: Change) -> None:
    """Undo, and forget the copy."""
    made(change)
    files.remove(files.backup_of(change.file))
