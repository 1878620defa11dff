"""A spoke for a developer's machine: the files of one folder, its repository, listed programs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hubbub.client import Spoke
from hubbub.devspoke.files import Files
from hubbub.devspoke.git import Git
from hubbub.devspoke.history import History
from hubbub.devspoke.programs import Programs
from hubbub.devspoke.refusals import (
    GIT_FAILED,
    MISSING,
    NO_REPOSITORY,
    NOT_ALLOWED,
    OUTSIDE,
    TOO_LARGE,
    TOOK_TOO_LONG,
    WORKTREE_STATE,
    WRONG_KIND,
)
from hubbub.devspoke.root import Root
from hubbub.devspoke.searching import Search
from hubbub.devspoke.worktrees import Worktrees

__all__ = ["dev_spoke"]

READ = ("dev:read",)
WRITE = ("dev:write",)
RUN = ("dev:run",)


def dev_spoke(root: Path, name: str, allow: Sequence[str] = ()) -> Spoke:
    """A spoke that offers the folder `root`.

    `dev.fs` and `dev.git` never read or write outside of it. They need the scopes `dev:read` and
    `dev:write`. `dev.proc.run` (`dev:run`) is offered only if `allow` lists programs, by their bare
    names: such a program starts in the root, and does there and elsewhere what it likes.

    Raises:
        NotADirectoryError: `root` is no folder.
        ValueError: a name in `allow` is a path.
    """
    spoke = Spoke(name, type="dev-env")
    inside = Root(root)
    git = Git(inside)
    _offer_files(spoke, Files(inside), Search(git))
    _offer_git(spoke, History(git), Worktrees(git))
    if allow:
        _offer_programs(spoke, Programs(inside, allow))
    return spoke


def _offer_files(spoke: Spoke, files: Files, search: Search) -> None:
    offer = partial(spoke.operation, namespace="dev.fs", tags=("files",))
    found = (OUTSIDE, MISSING, WRONG_KIND)
    read = partial(offer, idempotent=True, scopes=READ)
    read(errors=(*found, TOO_LARGE))(files.read)
    read(name="list", errors=found)(files.entries)
    read(errors=(*found, TOO_LARGE, GIT_FAILED, TOOK_TOO_LONG))(search.search)
    offer(type="mutation", scopes=WRITE, errors=found)(files.write)


def _offer_git(spoke: Spoke, history: History, worktrees: Worktrees) -> None:
    offer = partial(spoke.operation, namespace="dev.git", tags=("git",))
    errors = (OUTSIDE, NO_REPOSITORY, GIT_FAILED, TOOK_TOO_LONG)
    for read in (history.status, history.log, history.diff):
        offer(idempotent=True, scopes=READ, errors=(*errors, WRONG_KIND))(read)
    change = partial(offer, type="mutation", scopes=WRITE, errors=(*errors, WORKTREE_STATE))
    change(name="worktreeCreate")(worktrees.create)
    change(name="worktreeRemove")(worktrees.remove)


def _offer_programs(spoke: Spoke, programs: Programs) -> None:
    spoke.operation(
        namespace="dev.proc",
        scopes=RUN,
        tags=("programs",),
        errors=(NOT_ALLOWED, OUTSIDE, MISSING, WRONG_KIND, TOO_LARGE, TOOK_TOO_LONG),
    )(programs.run)
