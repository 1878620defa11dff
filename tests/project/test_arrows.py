"""The arrows between packages as pyproject.toml has them, on a made tree that has every package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# Alembic loads these by their path.
MIGRATIONS = ROOT / "src" / "hubbub" / "storage" / "migrations" / "versions"

MODULES = ("app", "settings", "tables")
PACKAGES = """calls catalog client conversations coordination devspoke identity interfaces kernel
    mcpservers operations orchestration projects protocol roles search services spokes storage tasks
    upstreams"""

ALLOWED = """app>interfaces interfaces>app interfaces>client app>settings app>tables tables>tasks
    orchestration>coordination coordination>spokes coordination>tasks spokes>calls upstreams>calls
    calls>tasks calls>mcpservers mcpservers>catalog catalog>search catalog>services
    projects>identity identity>operations operations>storage operations>protocol storage>kernel
    protocol>kernel client>protocol client>kernel devspoke>client devspoke>protocol"""

FORBIDDEN = """kernel>protocol protocol>storage storage>protocol operations>identity
    catalog>mcpservers tasks>conversations tasks>calls spokes>upstreams search>catalog
    orchestration>interfaces orchestration>settings calls>client storage>tables tasks>app
    client>storage client>operations client>calls client>devspoke devspoke>spokes devspoke>tasks"""


def lint(home: Path, imports: str, extra: str = "") -> tuple[int, str]:
    """lint-imports on a tree whose only imports are "importer>imported ..."."""
    package = home / "hubbub"
    for name in ["", *PACKAGES.split(), *extra.split()]:
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    for name in MODULES:
        (package / f"{name}.py").touch()
    for number, pair in enumerate(imports.split()):
        importer, imported = pair.split(">")
        inside = (package / importer).is_dir()
        path = package / importer / f"file{number}.py" if inside else package / f"{importer}.py"
        with path.open("a") as file:
            file.write(f"import hubbub.{imported}\n")
    shutil.copy(ROOT / "pyproject.toml", home)
    done = subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def test_a_package_may_import_what_stands_below_it(tmp_path):
    code, report = lint(tmp_path, ALLOWED)
    assert code == 0, report


def test_each_arrow_that_points_up_is_found(tmp_path):
    code, report = lint(tmp_path, FORBIDDEN)
    assert code == 1
    for importer, imported in (pair.split(">") for pair in FORBIDDEN.split()):
        assert f"hubbub.{importer} is not allowed to import hubbub.{imported}" in report


def test_a_package_that_nobody_gave_a_place_is_found(tmp_path):
    code, report = lint(tmp_path, "", extra="utils")
    assert code == 1
    assert "utils" in report


def test_every_folder_is_a_package_for_the_imports_of_others_are_not_seen():
    files = (ROOT / "src" / "hubbub").rglob("*.py")
    folders = {path.parent for path in files} - {MIGRATIONS}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
