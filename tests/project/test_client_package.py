"""hubbub-client ships the client's side of the source, and runs on two dependencies."""

import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packaging" / "client"
SETTINGS = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

SHIPPED = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
MISSING = [source for source in SHIPPED if not (PACKAGE / source).exists()]

IMPORT_ALL = """
import importlib, pkgutil, hubbub
for module in pkgutil.walk_packages(hubbub.__path__, "hubbub."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""

needs_source = pytest.mark.skipif(bool(MISSING), reason=f"not written yet: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_it_asks_for_what_the_hub_asks_for():
    assert set(SETTINGS["project"]["dependencies"]) <= set(PROJECT["project"]["dependencies"])
    assert SETTINGS["project"]["requires-python"] == PROJECT["project"]["requires-python"]


@pytest.mark.slow
@needs_source
def test_the_wheel_holds_the_clients_side_and_no_more(wheel):
    assert wheel.name.startswith(f"hubbub_client-{PROJECT['project']['version']}-")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[1] for name in names if name.startswith("hubbub/")}
    assert tops == {"__init__.py", "client", "devspoke", "kernel", "protocol", "py.typed"}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"hubbub", "hubbub_client"}


@pytest.mark.slow
@needs_source
def test_it_is_imported_where_only_its_two_dependencies_are(wheel, tmp_path):
    python, packages = empty_environment(tmp_path)
    for name in ("msgspec", "websockets"):
        copy_distribution(name, packages)
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", wheel], check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([python, "-I", "-W", "error", "-c", IMPORT_ALL], check=True, cwd=tmp_path)


def empty_environment(home: Path) -> tuple[Path, Path]:
    """A Python with nothing installed, and the folder for what will be."""
    venv.create(home / "venv", with_pip=False, symlinks=True)
    (packages,) = home.glob("venv/lib/python*/site-packages")
    return home / "venv" / "bin" / "python", packages


def copy_distribution(name: str, packages: Path) -> None:
    """As if it had been installed there; without asking an index for it."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(distribution.locate_file(file), target)
