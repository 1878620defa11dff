"""tools/shape.py counts as its docstring says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import shape

SOURCE = '''"""A module."""


class Box:
    """What is put

    somewhere."""

    size = 1

    @property
    def empty(self) -> bool:
        """Whether it is."""
        return not self.size

    def fill(self, things, /, *rest, each=1, **more):
        for thing in things:
            if thing:
                self.size += each

                def inner(a, b):
                    while a:
                        a -= b

        match rest:
            case [first]:
                return first
            case _:
                return None


async def wait(): ...


def said():
    """Nothing else."""
'''


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "box.py").write_text(SOURCE)
    (tmp_path / "empty.py").write_text("")
    return tmp_path


def found(tree, kind):
    return {m.where.split(" ")[-1]: m.size for m in shape.measure(tree) if m.kind == kind}


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("body", {"Box.empty": 1, "Box.fill": 13, "Box.fill.inner": 2, "wait": 1, "said": 0}),
        ("branches", {"Box.empty": 1, "Box.fill": 4, "Box.fill.inner": 2, "wait": 1, "said": 1}),
        ("parameters", {"Box.empty": 0, "Box.fill": 4, "Box.fill.inner": 2, "wait": 0, "said": 0}),
        ("class", {"Box": 23}),
        ("file", {"inner/box.py": 36, "empty.py": 0}),
    ],
)
def test_what_is_counted(tree, kind, sizes):
    assert found(tree, kind) == sizes


def test_the_spread_is_median_ninetieth_percentile_and_largest():
    measures = [shape.Measure(kind="file", size=size, where="") for size in range(1, 101)]
    assert shape.spread(measures, "file") == (51, 91, 100)
    assert shape.spread(measures, "class") == (0, 0, 0)


def test_the_longest_come_first_with_their_place(tree):
    (first, *_) = shape.longest(shape.measure(tree), "body")
    assert first == shape.Measure(kind="body", size=13, where="inner/box.py:16 Box.fill")


def test_it_prints_the_peers_and_the_tree(tree):
    command = [sys.executable, Path(shape.__file__), tree]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for peer in shape.PEERS:
        assert f"\n{peer} " in out
    assert "36  inner/box.py\n" in out


def test_a_file_that_is_half_written_has_its_lines_counted(tmp_path):
    (tmp_path / "half.py").write_text("def begin(:\n\n")
    assert list(shape.measure(tmp_path)) == [shape.Measure(kind="file", size=2, where="half.py")]
