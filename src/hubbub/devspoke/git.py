"""Running git so that it reads the repository and nothing that the repository asks to be run."""

import os
import shutil
from itertools import chain
from pathlib import PurePath

from hubbub.client import AccessDenied, DomainError, NotFound
from hubbub.devspoke.children import Output, environment, limited, output
from hubbub.devspoke.refusals import misfit
from hubbub.devspoke.root import Root, gits_own

GIT_S = 30.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024

# Whatever a repository's configuration may name as a program to run, less its filters, without
# which the files of some repositories cannot be compared. `dev.fs.write` does not write in .git.
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.quotePath=false",
    "log.showSignature=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    # A folder that merely looks like a repository is none: anybody may write one.
    "safe.bareRepository=explicit",
)

# Where a repository lies: for each of these `rev-parse` says a path.
_PLACES = (("--show-toplevel",), ("--git-dir",), ("--git-common-dir",), ("--git-path", "objects"))


class Git:
    """git, within one root."""

    def __init__(self, root: Root) -> None:
        self.root = root

    async def run(
        self, folder: int, *arguments: str, memory_bytes_max: int | None = None
    ) -> Output:
        """Run git in an open folder, whatever it says, up to 4 MiB of it.

        Raises:
            TimedOut: it was killed after 30 s.
            DomainError: GIT_FAILED, git is not installed.
        """
        git = shutil.which("git")
        if git is None:
            raise DomainError("GIT_FAILED", "git is not installed")
        settings = [part for setting in _SAFE for part in ("-c", setting)]
        command = [git, "--no-pager", *settings, *arguments]
        return await output(
            command if memory_bytes_max is None else limited(command, memory_bytes_max),
            folder=folder,
            environment=environment(
                LC_ALL="C.UTF-8",
                GIT_TERMINAL_PROMPT="0",
                GIT_OPTIONAL_LOCKS="0",
                GIT_NO_LAZY_FETCH="1",
                # A repository around the root is not the root's.
                GIT_CEILING_DIRECTORIES=str(self.root.path.parent),
            ),
            bytes_max=ANSWER_BYTES_MAX,
            timeout_s=GIT_S,
        )

    async def answer(self, folder: int, *arguments: str) -> Output:
        """As `run`, where git must succeed."""
        said = await self.run(folder, *arguments)
        if said.code != 0 and not said.truncated:
            raise failure(said)
        return said

    async def check(self, folder: int, path: str) -> None:
        """See that a repository, its work tree and its objects lie within the root.

        A `.git` may be a file or a link that leads anywhere, the configuration may name any folder
        as the work tree, and objects may be borrowed from any other repository. One that is not in
        a `.git` could have been written by `dev.fs.write`, with programs to run.

        Raises:
            NotFound: there is no repository.
            AccessDenied: there is one, and it leads out or is kept elsewhere.
        """
        said = await self.run(folder, "rev-parse", "--path-format=absolute", *chain(*_PLACES))
        if said.code != 0:
            raise NotFound("there is no repository", path=path, stderr=_told(said))
        if not self._holds(os.fsdecode(said.stdout).split("\n")[:-1]):
            raise AccessDenied("the repository is not kept in a .git below the root", path=path)

    def _holds(self, places: list[str]) -> bool:
        # More lines than places: the name of a folder has several, and could be taken for two.
        if len(places) != len(_PLACES):
            return False
        top, *own = (os.path.realpath(place) for place in places)
        return (
            self.root.holds(top)
            and all(self.root.holds(each) and gits_own(self.root.below(each)) for each in own)
            and not os.path.lexists(os.path.join(own[-1], "info", "alternates"))
        )

    async def commit(self, folder: int, ref: str) -> str:
        """The id of the commit that `ref` names, so that no ref reaches a command as it came.

        Raises:
            Invalid: it could be taken for an option, or for what is to be left out.
            NotFound: it names none.
        """
        if not ref or ref[0] in "-^" or "\0" in ref:
            raise misfit("ref", "a branch, a tag or a commit", ref)
        said = await self.run(folder, "rev-parse", "--verify", "--quiet", ref + "^{commit}")
        if said.code != 0:
            raise NotFound("there is no such commit", ref=ref)
        return said.stdout.decode().strip()

    def below(self, folder_path: PurePath, file: str) -> str:
        """`file`, from the folder that git runs in.

        Raises:
            AccessDenied: it leads out of the root.
        """
        # Not resolved: git knows a link by its own name. `located` only sees that it stays inside.
        self.root.located(str(folder_path / file))
        if PurePath(file).is_absolute():
            return os.path.relpath(file, self.root.path / folder_path)
        return file


def failure(said: Output) -> DomainError:
    """What git said when it refused."""
    told = _told(said)
    message = told.splitlines()[0] if told else "git failed"
    return DomainError("GIT_FAILED", message, exitCode=said.code, stderr=told)


def _told(said: Output) -> str:
    return said.stderr.decode(errors="replace").strip()
