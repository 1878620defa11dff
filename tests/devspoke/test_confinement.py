"""Whatever the path, and whatever happens meanwhile, nothing outside the root is touched."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.client import AccessDenied, HubError
from hubbub.devspoke.files import Files
from hubbub.devspoke.root import Root

SECRET = "not yours"


class NoCall:
    cancelled = False


@pytest.fixture(scope="module")
def ground():
    """A root full of links, and around it what they must not lead to."""
    top = Path(tempfile.mkdtemp())
    root = top / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_text("ours")
    (top / "outside").mkdir()
    (top / "outside" / "secret").write_text(SECRET)
    (top / "root-beside").mkdir()
    (top / "root-beside" / "secret").write_text(SECRET)
    links = {
        "out": "../outside",
        "out-file": "../outside/secret",
        "absolute": str(top / "outside"),
        "a/up": "../..",
        "a/b/chain": "../../out",
        "loop": "loop",
        "dangling": "../outside/new",
        "inside": "a/b",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    yield root
    shutil.rmtree(top)


PARTS = st.sampled_from(
    [
        *("..", ".", "", "a", "b", "file", "secret", "outside", "root", "root-beside", "new"),
        *("out", "out-file", "absolute", "up", "chain", "loop", "dangling", "inside"),
        *("~", "%2e%2e", "..\\", "...", ".git", "a\0b", "é", " "),
    ]
)
PATHS = st.one_of(
    st.lists(PARTS, max_size=8).map("/".join),
    st.lists(PARTS, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    st.text(max_size=40),
)


def outside(root):
    """Everything around the root, names and contents."""
    return {
        str(path): path.read_text() if path.is_file() else None
        for folder in (root.parent / "outside", root.parent / "root-beside")
        for path in (folder, *folder.rglob("*"))
    } | {"beside": sorted(os.listdir(root.parent))}


@settings(max_examples=300)
@given(path=PATHS, absolute=st.booleans())
def test_no_path_leads_out(ground, path, absolute):
    files, before = Files(Root(ground)), outside(ground)
    tried = f"{ground}/{path}" if absolute else path
    with suppress(HubError):
        assert files.read(tried).text != SECRET
    with suppress(HubError):
        for entry in files.entries(NoCall(), tried, depth=8).entries:
            listed = ground / entry.path
            assert os.path.lexists(listed)
            assert listed.parent.resolve().is_relative_to(ground)
    with suppress(HubError):
        written = files.write(tried, "ours", create_parents=True)
        assert (ground / written.path).is_relative_to(ground)
        assert not (ground / written.path).is_symlink()
    assert outside(ground) == before


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside/secret",
        "/etc/passwd",
        "../root-beside/secret",
        "out/secret",
        "out-file",
        "absolute/secret",
        "a/up/outside/secret",
        "a/b/chain/secret",
        "dangling",
        "loop",
    ],
)
def test_a_way_out_is_refused_by_its_name(ground, path):
    files = Files(Root(ground))
    for touch in (files.read, lambda path: files.write(path, "x", create_parents=True)):
        with pytest.raises(AccessDenied) as caught:
            touch(path)
        assert caught.value.details["path"] in (path, Path(path).name)


class Swapped(Root):
    """A root in which someone acts between the two steps of every access."""

    def __init__(self, path, act):
        super().__init__(path)
        self.act = act

    def located(self, path):
        where = super().located(path)
        self.act()
        return where


@pytest.mark.parametrize("swapped", ["a", "a/b", "a/b/file"])
def test_a_part_that_becomes_a_link_after_it_was_looked_at_leads_nowhere(tmp_path, swapped):
    root, other = tmp_path / "root", tmp_path / "other"
    for top in (root, other):
        (top / "a" / "b").mkdir(parents=True)
        (top / "a" / "b" / "file").write_text(SECRET if top is other else "ours")

    def swap():
        (root / swapped).rename(root / f"{swapped}-before")
        (root / swapped).symlink_to(other / swapped)

    with pytest.raises(AccessDenied):
        Files(Swapped(root, swap)).read("a/b/file")
    (root / swapped).unlink()
    (root / f"{swapped}-before").rename(root / swapped)
    with suppress(HubError):
        Files(Swapped(root, swap)).write("a/b/file", "overwritten")
    assert (other / "a" / "b" / "file").read_text() == SECRET
