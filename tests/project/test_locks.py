"""The locks hold everything, and no file says where one machine keeps or fetches things."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "requirements" / "runtime.txt"
DEV = ROOT / "requirements" / "dev.txt"
OUTSIDE = ROOT / "requirements" / "outside.txt"
PEERS = [ROOT / "requirements" / f"{name}.txt" for name in ("fastmcp", "contextforge")]
NODE = ROOT / "tests" / "outside" / "package-lock.json"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# name==version, perhaps "; for which machines", and hashes
PIN = re.compile(r"([\w.-]+)==(\S+)( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+")

# Written so that this file does not hold what it looks for.
INDEX_HOST = re.compile(r"\b(pypi\.(org|io)|pythonhosted\.(org|com)|npmjs\.(org|com))", re.I)
MACHINE_PATH = re.compile(r"(?<![\w.*$}])/(root|work|home)/\w")


def locked(lock: Path) -> dict[str, Version]:
    """What a lock pins. A line that is no pin with a hash is an error."""
    entries = re.sub(r"\s*#.*", "", lock.read_text()).replace("\\\n", " ").splitlines()
    pins = {}
    for entry in filter(None, map(str.strip, entries)):
        match = PIN.fullmatch(entry)
        assert match, entry[:80]
        assert match[1] not in pins or match[3], f"{match[1]} is pinned twice"
        pins[canonicalize_name(match[1])] = Version(match[2])
    return pins


def group(name: str) -> Iterator[str]:
    for entry in PROJECT["dependency-groups"][name]:
        match entry:
            case {"include-group": included}:
                yield from group(included)
            case _:
                yield entry


def required(extra: str) -> Iterator[str]:
    """What an extra asks for, without the project itself, by which extras include each other."""
    for entry in PROJECT["project"]["optional-dependencies"][extra]:
        requirement = Requirement(entry)
        if requirement.name == PROJECT["project"]["name"]:
            for included in requirement.extras:
                yield from required(included)
        else:
            yield entry


RUNTIME_REQUIREMENTS = [
    *PROJECT["project"]["dependencies"],
    *required("all"),
    *PROJECT["build-system"]["requires"],
]


@pytest.mark.parametrize("entry", RUNTIME_REQUIREMENTS)
def test_everything_that_runs_the_hub_is_pinned_within_its_bounds(entry):
    requirement = Requirement(entry)
    assert locked(RUNTIME)[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("entry", [*PROJECT["project"]["dependencies"], *required("all")])
def test_a_record_says_why_the_hub_runs_on(entry):
    name = re.split(r"[<>=;! ]", entry)[0]
    records = [path.read_text() for path in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert any(f"| {name} |" in record for record in records)


@pytest.mark.parametrize("entry", [*group("dev")])
def test_every_development_tool_is_pinned_within_its_bounds(entry):
    requirement = Requirement(entry)
    assert locked(DEV)[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("entry", [*group("outside")])
def test_every_program_of_others_is_pinned_within_its_bounds(entry):
    requirement = Requirement(entry)
    assert locked(OUTSIDE)[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("lock", PEERS, ids=lambda lock: lock.stem)
def test_every_gateway_of_others_is_pinned_within_its_bounds(lock):
    (entry,) = group(lock.stem)
    requirement = Requirement(entry)
    assert locked(lock)[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_package_for_node_is_pinned_by_its_hash():
    packages = json.loads(NODE.read_text())["packages"]
    asked = json.loads(NODE.with_name("package.json").read_text())
    wanted = asked["dependencies"] | asked["optionalDependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, each in packages.items() if name and "integrity" not in each] == []


def test_every_extra_is_part_of_all():
    # `embed` is left out: 64 MB for those who have a model of their own.
    extras = set(PROJECT["project"]["optional-dependencies"]) - {"all", "embed"}
    assert {entry for extra in extras for entry in required(extra)} == set(required("all"))


def test_the_development_lock_holds_the_runtime_lock():
    assert locked(RUNTIME).items() <= locked(DEV).items()


@pytest.mark.parametrize("lock", [RUNTIME, DEV, OUTSIDE, *PEERS, NODE], ids=lambda lock: lock.name)
def test_a_lock_names_no_place_to_fetch_from(lock):
    assert not re.findall(r"\w+://\S+|--index-url|--find-links|@ \S+", lock.read_text())


def files() -> list[Path]:
    """Every file that is in the repository or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
@pytest.mark.parametrize("pattern", [INDEX_HOST, MACHINE_PATH], ids=["index host", "machine path"])
def test_no_file_holds(pattern):
    found = []
    for path in files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://files.python" + "hosted.org/x", True),
        ('{"registryType": "pypi"}', False),
    ],
)
def test_an_index_host_is_told_from_the_name_of_a_registry(text, found):
    assert bool(INDEX_HOST.search(text)) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cd /" + "work/x", True),
        ("file:///" + "root/x", True),
        ("GET /v1/work/items", False),
        ("https://example.org/home/page", False),
        ("/workspace", False),
    ],
)
def test_a_machine_path_is_told_from_the_rest(text, found):
    assert bool(MACHINE_PATH.search(text)) is found
