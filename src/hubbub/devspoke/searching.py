"""dev.fs.search: lines that fit, by git's own grep."""

import re
from pathlib import PurePath
from typing import Annotated

from msgspec import Meta

from hubbub.client import AccessDenied, HubError, TooLarge
from hubbub.devspoke.children import Output
from hubbub.devspoke.files import Shape
from hubbub.devspoke.git import Git, failure
from hubbub.devspoke.refusals import misfit
from hubbub.devspoke.root import shown
from hubbub.devspoke.worktrees import HOME

LINE_CHARS_MAX = 500
MEMORY_BYTES_MAX = 1024**3
_LINE = re.compile(r"(?P<path>[^\0]+)\0(?P<line>\d+)[\0:](?P<text>[^\n]*)\n?")

# What the owner of the machine may have set, and what would change what git says here. One thread:
# each would take address space, which is limited.
_SETTINGS = ("grep.fullName=false", "grep.column=false", "grep.threads=1")

Glob = Annotated[str, Meta(max_length=1_000, description="such as *.py or docs/**/*.md")]


class Match(Shape, frozen=True, kw_only=True):
    path: str
    """From the root."""
    line: int
    """The first is 1."""
    text: str
    """The line, cut after 500 characters."""


class Matches(Shape, frozen=True, kw_only=True):
    matches: list[Match]
    truncated: bool
    """Whether there are more."""


class Search:
    """Searches files below the root.

    git's grep knows what is ignored, what is binary and what is a link, needs no repository for it,
    and runs in a process that can be killed. A pattern that takes for ever to match, which Python's
    would do with the whole spoke waiting, takes 30 s; one that explodes when it is compiled, 1 GiB.
    """

    def __init__(self, git: Git) -> None:
        self._git = git

    async def search(
        self,
        query: Annotated[str, Meta(min_length=1, max_length=1_000)],
        regex: bool = False,
        glob: Glob | None = None,
        path: str = ".",
        limit: Annotated[int, Meta(ge=1, le=1_000)] = 100,
    ) -> Matches:
        """Find lines that contain a text or fit an extended regular expression (POSIX).

        Not searched are `.git`, binary files, links, worktrees other than the one of `path`, and
        what the folder's .gitignore leaves out.
        """
        if "\n" in query or "\0" in query:
            raise misfit("query", "a single line", query)
        where = self._git.root.located(path)
        with self._git.root.folder(where) as folder:
            said = await self._git.run(
                folder,
                *(part for setting in _SETTINGS for part in ("-c", setting)),
                *("grep", "--no-index", "--exclude-standard", "-I", "-n", "-z", "--no-color"),
                *("-E" if regex else "-F", "-e", query),
                *("--", _pathspec(glob), f":(exclude,top){HOME}"),
                memory_bytes_max=MEMORY_BYTES_MAX,
            )
        if said.code not in (0, 1) and not said.truncated:
            raise _refusal(said, query)
        found = matches_of(said.stdout.decode(errors="replace"), where)
        truncated = said.truncated or len(found) > limit
        return Matches(matches=found[:limit], truncated=truncated)


def matches_of(said: str, where: PurePath) -> list[Match]:
    """What `git grep -n -z` says: a path, a line number and a text for each."""
    return [
        Match(
            path=shown(str(where / one["path"])),
            line=int(one["line"]),
            text=one["text"].removesuffix("\r")[:LINE_CHARS_MAX],
        )
        for one in _LINE.finditer(said)
    ]


def _refusal(said: Output, query: str) -> HubError:
    if b"-e option, " in said.stderr:
        return misfit("query", "a regular expression", query)
    if b"Out of memory" in said.stderr:
        return TooLarge(
            "a file is too large to be searched: choose others by `glob` or `path`",
            bytesMax=MEMORY_BYTES_MAX,
        )
    return failure(said)


def _pathspec(glob: str | None) -> str:
    if glob is None:
        return "."
    parts = PurePath(glob)
    if parts.is_absolute() or ".." in parts.parts:
        raise AccessDenied("the pattern leads out of the folder", glob=glob)
    if "\0" in glob:
        raise misfit("glob", "a pattern of paths", glob)
    return f":(glob){glob}" if "/" in glob else f":(glob)**/{glob}"
