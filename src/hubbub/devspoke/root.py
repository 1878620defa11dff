"""The folder that a spoke offers, and the only way into it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from hubbub.client import AccessDenied, Conflict
from hubbub.devspoke.refusals import became_a_link, named, not_a_path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# What the systems allow. Resolving a path takes time with the square of its length.
PATH_CHARS_MAX = 4_096


class Root:
    """Opens what lies below one folder, and nothing else.

    A path is first resolved, links and `..` included, and refused if it leads out. Then it is
    opened from the root down, one component at a time, each relative to the folder opened before
    and none through a link. So it does not matter what changes between the two steps: whoever swaps
    a component for a link in between gets an error, not another file. What cannot be seen is a hard
    link or a mount that the owner of the machine put there.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        if not self.path.is_dir():
            raise NotADirectoryError(f"{path} is not a folder that could be offered")

    def located(self, path: str) -> PurePath:
        """Where `path` leads, below the root; it need not exist.

        Raises:
            AccessDenied: it leads out.
            Invalid: it cannot be a path.
        """
        if len(path) > PATH_CHARS_MAX:
            raise not_a_path(path)
        try:
            real = os.path.realpath(self.path / path)
        except (OSError, ValueError) as error:
            raise not_a_path(path) from error
        if not self.holds(real):
            raise AccessDenied("the path leads out of the root", path=path)
        return self.below(real)

    def holds(self, real: str) -> bool:
        """Whether a resolved path is the root or lies below it."""
        return PurePath(real).is_relative_to(self.path)

    def below(self, real: str) -> PurePath:
        """A resolved path that the root holds, from the root."""
        return PurePath(real).relative_to(self.path)

    @contextmanager
    def folder(self, where: PurePath, *, create: bool = False) -> Iterator[int]:
        """The descriptor of a folder, open for as long as the block runs.

        Args:
            where: below the root, without links, as `located` answers.
            create: make those that are missing.
        """
        opened = self._opened(where, create=create)
        try:
            yield opened
        finally:
            os.close(opened)

    def _opened(self, where: PurePath, *, create: bool) -> int:
        current = os.open(self.path, _FOLDER)
        try:
            for part in where.parts:
                if create:
                    _make(part, current)
                below = _step(part, current, str(where))
                os.close(current)
                current = below
        except BaseException:
            os.close(current)
            raise
        return current

    @contextmanager
    def file(self, where: PurePath) -> Iterator[int]:
        """The descriptor of a regular file, open to be read.

        Raises:
            NotFound, AccessDenied, Conflict: and why.
        """
        path = str(where)
        with self.folder(where.parent) as folder, named(path):
            opened = os.open(where.name or ".", _FILE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise Conflict("it is not a file", path=path)
            yield opened
        finally:
            os.close(opened)


def _make(part: str, folder: int) -> None:
    try:
        os.mkdir(part, dir_fd=folder)
    except FileExistsError:
        return


def _step(part: str, folder: int, path: str) -> int:
    with named(path):
        try:
            return os.open(part, _FOLDER, dir_fd=folder)
        except NotADirectoryError:
            # The system says the same of a link, which it was not when the path was resolved.
            if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                raise became_a_link(path) from None
            raise


def gits_own(where: PurePath) -> bool:
    """Whether it is a `.git` or lies in one."""
    return any(part.lower() == ".git" for part in where.parts)


def shown(name: str) -> str:
    """A name as JSON can carry it: bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(name).decode(errors="replace")
