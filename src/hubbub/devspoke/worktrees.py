"""dev.git, what it changes: worktrees, each a folder of its own for one branch."""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Annotated

from msgspec import Meta

from hubbub.client import Conflict, NotFound
from hubbub.devspoke.files import Shape
from hubbub.devspoke.git import Git, failure
from hubbub.devspoke.refusals import became_a_link, misfit

HOME = PurePath(".worktrees")
"""Below the root, and holds one folder for each worktree."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class Worktree(Shape, frozen=True, kw_only=True):
    name: str
    path: str
    """From the root; for `path` of the other operations."""
    branch: str
    head: str
    """The commit that is checked out."""


class Removed(Shape, frozen=True, kw_only=True):
    name: str


class Worktrees:
    """Makes and removes worktrees of the repository in the root."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def create(self, name: Name, branch: Annotated[str, Meta(max_length=250)]) -> Worktree:
        """Check `branch` out into a new worktree; a branch that is missing begins at HEAD."""
        async with self._home(create=True) as home:
            await self._check_branch(home, branch)
            if _is_there(name, home):
                raise Conflict("there is such a worktree already", name=name)
            exists = await self._exists(home, branch)
            what = (name, branch) if exists else ("-b", branch, name, "HEAD")
            await self._git.answer(home, "worktree", "add", "--quiet", *what)
        with self._git.root.folder(HOME / name) as made:
            head = await self._git.commit(made, "HEAD")
        return Worktree(name=name, path=str(HOME / name), branch=branch, head=head)

    async def remove(self, name: Name, force: bool = False) -> Removed:
        """Remove a worktree; its branch stays. With `force` also one that holds changes."""
        async with self._home(create=False) as home:
            if not _is_there(name, home):
                raise NotFound("there is no such worktree", name=name)
            forced = ("--force",) if force else ()
            # A bare name would also mean any other worktree whose path ends so, wherever it lies.
            said = await self._git.run(home, "worktree", "remove", *forced, f"./{name}")
        if said.code != 0 and b"modified or untracked" in said.stderr:
            raise Conflict("the worktree holds changes", name=name)
        if said.code != 0:
            raise failure(said)
        return Removed(name=name)

    @asynccontextmanager
    async def _home(self, *, create: bool) -> AsyncIterator[int]:
        """The folder that holds the worktrees of the repository in the root.

        git runs inside the folder that was opened, and is told bare names: a link that takes the
        folder's place now leads it nowhere.
        """
        root = self._git.root
        with root.folder(PurePath()) as top:
            await self._git.check(top, ".")
        with root.folder(HOME, create=create) as home:
            # A `.git` in it would make it another repository's.
            await self._git.check(home, str(HOME))
            yield home

    async def _check_branch(self, home: int, branch: str) -> None:
        usable = not branch.startswith("-") and "\0" not in branch
        if usable:
            said = await self._git.run(home, "check-ref-format", f"refs/heads/{branch}")
            usable = said.code == 0
        if not usable:
            raise misfit("branch", "a name of a branch", branch)

    async def _exists(self, home: int, branch: str) -> bool:
        ref = f"refs/heads/{branch}"
        return (await self._git.run(home, "show-ref", "--verify", "--quiet", ref)).code == 0


def _is_there(name: str, home: int) -> bool:
    """Whether there is a folder of that name.

    Raises:
        AccessDenied: there is a link.
    """
    try:
        mode = os.stat(name, dir_fd=home, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise became_a_link(str(HOME / name))
    return True
