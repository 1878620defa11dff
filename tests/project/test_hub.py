"""./hub installs what is missing, once, and runs what it is asked to.

The Python that it finds here is a script that writes down what it is asked for.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("cat", "cksum", "cp", "dirname", "mkdir", "rm", "rmdir", "sed", "sh", "sleep")

PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv")
        echo "venv $3" >>"$LOG"
        mkdir -p "$4/bin"
        cp "$0" "$4/bin/python"
        cp "$0" "$4/bin/hubbub"
        printf '#!/bin/sh\\necho "hubbub $*"\\n' >"$4/bin/hubbub"
        ;;
    "-m pip")
        for last; do :; done
        echo "pip ${last##*/}" >>"$LOG"
        [ ! -e "$LOG.broken" ] || exit 1
        sleep 0.1
        ;;
    "-m pytest") shift 2; echo "pytest $* in $PWD" ;;
    "-c "*) ;;
esac
"""

INSTALLED = ["venv --clear", "pip runtime.txt", "pip the hub"]


class Checkout:
    """A copy of what ./hub reads, in a folder whose path has spaces."""

    def __init__(self, home: Path) -> None:
        self.root = home / "a folder" / "the hub"
        self.bin = home / "bin"
        self.log = home / "log"
        self.root.mkdir(parents=True)
        self.bin.mkdir()
        self.log.touch()
        for name in ("hub", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)
        shutil.copytree(ROOT / "requirements", self.root / "requirements")
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))

    def offer(self, name: str, script: str = PYTHON) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "hub", *words],
            cwd="/",
            env={"PATH": str(self.bin), "LOG": str(self.log), "HOME": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def installs(self) -> list[str]:
        """What was installed since this was last asked."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def bare(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture
def checkout(bare):
    bare.offer("python3")
    return bare


def test_the_first_run_installs_the_lock_and_the_project_and_says_so_beside_the_output(checkout):
    code, out, err = checkout.run("demo", "--port", "1")
    assert (code, out, err.count("\n")) == (0, "hubbub demo --port 1\n", 1)
    assert checkout.installs() == INSTALLED


def test_the_second_run_installs_nothing(checkout):
    checkout.run("demo")
    checkout.installs()
    assert checkout.run("demo") == (0, "hubbub demo\n", "")
    assert checkout.installs() == []


def test_tests_run_in_the_repository_with_the_development_lock(checkout):
    _, out, _ = checkout.run("test", "-k", "some words")
    assert out == f"pytest -k some words in {checkout.root}\n"
    assert checkout.installs() == ["venv --clear", "pip dev.txt", "pip the hub"]


def test_what_tests_need_is_enough_for_the_hub_but_not_the_other_way_round(checkout):
    checkout.run("demo")
    checkout.installs()
    checkout.run("test")
    assert checkout.installs() == ["pip dev.txt", "pip the hub"]
    checkout.run("demo")
    assert checkout.installs() == []


def test_a_changed_lock_is_installed(checkout):
    checkout.run("demo")
    checkout.installs()
    with (checkout.root / "requirements" / "runtime.txt").open("a") as lock:
        lock.write("# changed\n")
    assert checkout.run("demo")[1] == "hubbub demo\n"
    assert checkout.installs() == ["pip runtime.txt", "pip the hub"]


def test_a_moved_folder_is_installed_from_the_start(checkout):
    checkout.run("demo")
    checkout.installs()
    checkout.root = checkout.root.rename(checkout.root.parent.parent / "the hub")
    assert checkout.run("demo")[1] == "hubbub demo\n"
    assert checkout.installs() == INSTALLED


def test_an_installation_that_failed_is_begun_again(checkout):
    broken = checkout.log.with_name("log.broken")
    broken.touch()
    code, out, _ = checkout.run("demo")
    assert (code, out) == (1, "")
    assert checkout.installs() == ["venv --clear", "pip runtime.txt"]
    broken.unlink()
    assert checkout.run("demo")[1] == "hubbub demo\n"
    assert checkout.installs() == INSTALLED


@pytest.mark.slow
def test_of_several_at_once_one_installs_and_the_others_wait(checkout):
    runs = [checkout.start("demo") for _ in range(3)]
    assert [run.communicate(timeout=30)[0] for run in runs] == ["hubbub demo\n"] * 3
    assert checkout.installs() == INSTALLED


@pytest.mark.slow
def test_the_lock_of_an_installation_that_died_is_taken_over(checkout):
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = checkout.root / ".venv.lock"
    lock.mkdir()
    (lock / "owner").write_text(f"{dead.pid}\n")
    runs = [checkout.start("demo") for _ in range(3)]
    assert [run.communicate(timeout=30)[0] for run in runs] == ["hubbub demo\n"] * 3
    assert checkout.installs() == INSTALLED
    assert not lock.exists()


def test_a_python_that_does_not_run_is_passed_over(bare):
    bare.offer("python3", "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
    bare.offer("python3.12")
    code, out, err = bare.run("demo")
    assert (code, out) == (0, "hubbub demo\n")
    assert f"with {bare.bin}/python3.12" in err


def test_without_a_python_that_will_do_it_says_what_is_wrong_and_what_to_install(bare):
    bare.offer("python3", "#!/bin/sh\necho 'has no venv or ensurepip'\n")
    bare.offer("python3.11", "#!/bin/sh\nexit 127\n")
    code, out, err = bare.run("demo")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "hub: no Python that will do on the path:",
        f"  {bare.bin}/python3 has no venv or ensurepip",
        f"  {bare.bin}/python3.11 does not run",
        "hub: install Python 3.11 or newer with venv and ensurepip"
        " (on Debian and Ubuntu: apt install python3-venv; elsewhere they come with Python)",
    ]
    assert not (bare.root / ".venv").exists()


def test_the_python_that_runs_this_will_do(bare):
    bare.offer("python3", f'#!/bin/sh\n[ "$1" = -c ] || exit 3\nexec "{sys.executable}" "$@"\n')
    code, _, err = bare.run("demo")
    assert (code, err.splitlines()[0][:16]) == (3, "hub: making .ven")
