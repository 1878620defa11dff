"""dev.git, what it reads: status, log and diff."""

from collections.abc import Iterator
from itertools import dropwhile, takewhile
from typing import Annotated

from msgspec import Meta

from hubbub.devspoke.files import Shape
from hubbub.devspoke.git import Git
from hubbub.devspoke.worktrees import HOME

CHANGES_MAX = 1_000
FIELD = "\x1f"
LOG_FORMAT = FIELD.join(("%H", "%P", "%an", "%ae", "%aI", "%s", "%b"))

Ref = Annotated[str, Meta(max_length=1_000, description="a branch, a tag or a commit")]


class Change(Shape, frozen=True, kw_only=True):
    """A path that differs from the last commit. The letters are those of `git status`."""

    path: str
    staged: str
    """`.` unchanged, M modified, A added, D deleted, R renamed, C copied, U unmerged, ? unknown."""
    unstaged: str
    original_path: str | None = None
    """Where it was, if it was renamed or copied."""


class Status(Shape, frozen=True, kw_only=True):
    branch: str | None
    """None if no branch is checked out."""
    head: str | None
    """The commit; None before the first."""
    upstream: str | None
    ahead: int
    behind: int
    changes: list[Change]
    truncated: bool


class Commit(Shape, frozen=True, kw_only=True):
    id: str
    parents: list[str]
    author: str
    email: str
    date: str
    """ISO 8601, with the author's offset."""
    subject: str
    body: str


class Commits(Shape, frozen=True, kw_only=True):
    commits: list[Commit]
    """Newest first."""
    truncated: bool


class Diff(Shape, frozen=True, kw_only=True):
    text: str
    """A unified diff; bytes that are not UTF-8 are U+FFFD."""
    truncated: bool


class History:
    """Reads the repository that a folder below the root belongs to."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def status(self, path: str = ".") -> Status:
        """Tell the branch and what differs from the last commit, untracked files included."""
        where = self._git.root.located(path)
        with self._git.root.folder(where) as folder:
            await self._git.check(folder, path)
            said = await self._git.answer(
                folder,
                *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"),
                # What changed inside a submodule is told by running git there.
                "--ignore-submodules=dirty",
                *("--", ":(top)", f":(top,exclude){HOME}"),
            )
        return status_of(said.stdout.decode(errors="replace"), truncated=said.truncated)

    async def log(
        self,
        path: str = ".",
        ref: Ref = "HEAD",
        file: str | None = None,
        limit: Annotated[int, Meta(ge=1, le=1_000)] = 50,
    ) -> Commits:
        """List the commits that lead to `ref`, newest first; those that touch `file`, if given."""
        where = self._git.root.located(path)
        with self._git.root.folder(where) as folder:
            await self._git.check(folder, path)
            commit = await self._git.commit(folder, ref)
            files = () if file is None else (self._git.below(where, file),)
            said = await self._git.answer(
                folder,
                *("--literal-pathspecs", "log", "-z", "--encoding=UTF-8"),
                *(f"--max-count={limit + 1}", f"--format={LOG_FORMAT}", commit, "--", *files),
            )
        commits = list(commits_of(said.stdout.decode(errors="replace")))
        truncated = said.truncated or len(commits) > limit
        return Commits(commits=commits[:limit], truncated=truncated)

    async def diff(
        self,
        path: str = ".",
        base: Ref | None = None,
        head: Ref | None = None,
        staged: bool = False,
        file: str | None = None,
    ) -> Diff:
        """Show the changes that are not staged; or those that are; or those since `base`.

        With `head`, those from `base` (or the last commit) to `head`. Up to 4 MiB.
        """
        where = self._git.root.located(path)
        with self._git.root.folder(where) as folder:
            await self._git.check(folder, path)
            if head is not None:
                base = base or "HEAD"
            commits = [await self._git.commit(folder, ref) for ref in (base, head) if ref]
            files = () if file is None else (self._git.below(where, file),)
            said = await self._git.answer(
                folder,
                *("--literal-pathspecs", "diff", "--no-color", "--no-ext-diff", "--no-textconv"),
                # Nor does its own history belong here: it may lie anywhere.
                *("--ignore-submodules=dirty", "--submodule=short"),
                *(("--cached",) if staged else ()),
                *(*commits, "--", *files),
            )
        return Diff(text=said.stdout.decode(errors="replace"), truncated=said.truncated)


def status_of(said: str, *, truncated: bool = False) -> Status:
    """What `git status --porcelain=v2 --branch -z` says."""
    lines = said.split("\0")[:-1]
    # Only at the beginning: after a rename a line is a path, whatever that begins with.
    heads = dict(line[2:].split(" ", 1) for line in takewhile(_is_head, lines))
    ahead, behind = heads.get("branch.ab", "+0 -0").split(" ")
    changes = list(_changes(dropwhile(_is_head, lines)))
    branch, head = heads.get("branch.head"), heads.get("branch.oid")
    return Status(
        branch=None if branch == "(detached)" else branch,
        head=None if head == "(initial)" else head,
        upstream=heads.get("branch.upstream"),
        ahead=int(ahead),
        behind=-int(behind),
        changes=changes[:CHANGES_MAX],
        truncated=truncated or len(changes) > CHANGES_MAX,
    )


def _is_head(line: str) -> bool:
    return line.startswith("# ")


# Fields before the path: "1 XY sub mH mI mW hH hI path", "2 ... Xscore path", "u ... h3 path".
_FIELDS = {"1": 8, "2": 9, "u": 10}


def _changes(lines: Iterator[str]) -> Iterator[Change]:
    for line in lines:
        kind = line[:1]
        if kind == "?":
            yield Change(path=line[2:], staged="?", unstaged="?")
        elif kind in _FIELDS:
            fields = line.split(" ", _FIELDS[kind])
            # A rename is followed by a line of its own with the old path.
            old = next(lines, None) if kind == "2" else None
            letters = fields[1]
            yield Change(path=fields[-1], staged=letters[0], unstaged=letters[1], original_path=old)


def commits_of(said: str) -> Iterator[Commit]:
    """What `git log -z` says in `LOG_FORMAT`."""
    for record in said.split("\0"):
        fields = record.split(FIELD, 6)
        if len(fields) == 7:  # less is what was cut off at the limit, or nothing
            id, parents, author, email, date, subject, body = fields
            yield Commit(
                id=id,
                parents=parents.split(),
                author=author,
                email=email,
                date=date,
                subject=subject,
                body=body.strip(),
            )
