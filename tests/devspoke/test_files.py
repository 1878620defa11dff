"""dev.fs over a wire, on real files."""

import errno
import os

import pytest

from hubbub.client import AccessDenied, Conflict, Invalid, NotFound, TooLarge
from hubbub.devspoke import searching
from hubbub.devspoke.files import READ_BYTES_MAX
from hubbub.devspoke.searching import MEMORY_BYTES_MAX
from hubbub.kernel.errors import ExecutionFailed


async def test_a_text_file_is_read_with_the_number_of_its_lines(dev, root):
    (root / "a.txt").write_text("one\ntwo\nthree\n")
    assert await dev.call("dev.fs.read", path="a.txt") == {
        "path": "a.txt",
        "text": "one\ntwo\nthree\n",
        "base64": False,
        "totalLines": 3,
        "sizeBytes": 14,
    }


@pytest.mark.parametrize(
    ("offset", "limit", "text"),
    [(0, 1, "one\r\n"), (1, 5, "two\u2028still two\nthree"), (2, 1, "three"), (9, 1, "")],
)
async def test_some_lines_are_read_as_they_are(dev, root, offset, limit, text):
    (root / "a.txt").write_bytes("one\r\ntwo\u2028still two\nthree".encode())
    content = await dev.call("dev.fs.read", path="a.txt", offset=offset, limit=limit)
    assert (content["text"], content["totalLines"]) == (text, 3)


@pytest.mark.parametrize("data", [b"\x00\x01", b"\xff\xfe\xfd"])
async def test_a_file_that_is_not_text_comes_in_base64(dev, root, data):
    (root / "a.bin").write_bytes(data)
    content = await dev.call("dev.fs.read", path="a.bin")
    assert (content["base64"], content["totalLines"], content["sizeBytes"]) == (True, 0, len(data))
    assert content["text"] in ("AAE=", "//79")


async def test_a_file_over_the_limit_is_too_large(dev, root):
    with open(root / "big", "wb") as file:
        file.truncate(READ_BYTES_MAX + 1)
    with pytest.raises(TooLarge) as caught:
        await dev.call("dev.fs.read", path="big")
    assert caught.value.details == {
        "path": "big",
        "bytes": READ_BYTES_MAX + 1,
        "bytesMax": READ_BYTES_MAX,
    }


async def test_what_is_not_there_is_not_found(dev, root):
    (root / "file").write_text("")
    for operation in ("dev.fs.read", "dev.fs.list", "dev.fs.search", "dev.git.status"):
        more = {"query": "x"} if operation == "dev.fs.search" else {}
        with pytest.raises(NotFound):
            await dev.call(operation, path="none/at/all", **more)
    with pytest.raises(NotFound):
        await dev.call("dev.fs.write", path="none/file", text="")


async def test_another_kind_of_thing_is_a_conflict(dev, root):
    (root / "file").write_text("")
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    for path in ("folder", "pipe", "."):
        with pytest.raises(Conflict):
            await dev.call("dev.fs.read", path=path)
        with pytest.raises(Conflict):
            await dev.call("dev.fs.write", path=path, text="")
    with pytest.raises(Conflict):
        await dev.call("dev.fs.list", path="file")
    with pytest.raises(Conflict):
        await dev.call("dev.fs.read", path="file/inside")


async def test_a_folder_is_listed_level_by_level_and_links_are_not_followed(dev, root):
    (root / "b").mkdir()
    (root / "b" / "deep").mkdir()
    (root / "b" / "deep" / "leaf").write_text("leaf")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("")
    (root / "a.txt").write_text("12345")
    (root / "up").symlink_to("..")
    shallow = await dev.call("dev.fs.list")
    assert [(entry["path"], entry["type"]) for entry in shallow["entries"]] == [
        (".git", "directory"),
        ("a.txt", "file"),
        ("b", "directory"),
        ("up", "link"),
    ]
    deep = await dev.call("dev.fs.list", depth=3)
    assert [entry["path"] for entry in deep["entries"]] == [
        ".git",
        "a.txt",
        "b",
        "b/deep",
        "b/deep/leaf",
        "up",
    ]
    assert (deep["entries"][1]["sizeBytes"], deep["truncated"]) == (5, False)
    some = await dev.call("dev.fs.list", path="b", depth=3, limit=1)
    assert ([entry["path"] for entry in some["entries"]], some["truncated"]) == (["b/deep"], True)


async def test_a_name_that_is_not_utf8_is_listed_as_far_as_it_can_be(dev, root):
    (root / os.fsdecode(b"odd-\xff")).write_text("")
    listed = await dev.call("dev.fs.list")
    assert [entry["path"] for entry in listed["entries"]] == ["odd-\ufffd"]


async def test_a_file_is_written_whole_and_keeps_its_permissions(dev, root):
    assert await dev.call("dev.fs.write", path="a.txt", text="é") == {
        "path": "a.txt",
        "sizeBytes": 2,
        "created": True,
    }
    (root / "a.txt").chmod(0o755)
    with open(root / "a.txt") as reader:
        written = await dev.call("dev.fs.write", path="a.txt", text="new")
        assert written["created"] is False
        assert (reader.read(), (root / "a.txt").read_text()) == ("é", "new")
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o755
    assert os.listdir(root) == ["a.txt"]


async def test_a_write_for_which_there_is_no_room_leaves_everything_as_it_was(
    dev, root, monkeypatch
):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    (root / "a.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExecutionFailed):
        await dev.call("dev.fs.write", path="a.txt", text="new")
    assert (os.listdir(root), (root / "a.txt").read_text()) == (["a.txt"], "old")


async def test_folders_on_the_way_are_made_when_asked_for(dev, root):
    await dev.call("dev.fs.write", path="a/b/c.txt", text="deep", createParents=True)
    assert (root / "a" / "b" / "c.txt").read_text() == "deep"


async def test_a_link_that_stays_inside_is_followed(dev, root):
    (root / "real").mkdir()
    (root / "short").symlink_to("real")
    await dev.call("dev.fs.write", path="short/a.txt", text="through")
    assert (root / "real" / "a.txt").read_text() == "through"
    assert (await dev.call("dev.fs.read", path="short/a.txt"))["path"] == "real/a.txt"


@pytest.mark.parametrize("path", [".git/config", "sub/.git", ".GIT/hooks/pre-commit"])
async def test_what_is_gits_own_is_not_written(dev, root, path):
    with pytest.raises(AccessDenied):
        await dev.call("dev.fs.write", path=path, text="x", createParents=True)
    assert os.listdir(root) == []


@pytest.mark.parametrize("path", ["a\0b", "x" * 1_000, "a/" * 400_000], ids=["nul", "name", "way"])
async def test_what_cannot_be_a_path_is_invalid(dev, path):
    for operation in ("dev.fs.read", "dev.fs.list", "dev.git.status"):
        with pytest.raises(Invalid) as caught:
            await dev.call(operation, path=path)
        assert caught.value.details["errors"][0]["field"] == "path"


async def test_lines_that_hold_a_text_are_found(dev, root):
    (root / ".gitignore").write_text("*.log\n")
    (root / "a.py").write_text("import os\nprint(os.name)\n")
    (root / "sub").mkdir()
    (root / "sub" / "b.py").write_text("no\nos.name: here\n")
    (root / "c.log").write_text("os.name\n")
    (root / "d.bin").write_bytes(b"os.name\0")
    (root / "link.py").symlink_to("a.py")
    found = await dev.call("dev.fs.search", query="os.name")
    assert found == {
        "matches": [
            {"path": "a.py", "line": 2, "text": "print(os.name)"},
            {"path": "sub/b.py", "line": 2, "text": "os.name: here"},
        ],
        "truncated": False,
    }
    narrow = await dev.call("dev.fs.search", query="O[Ss]|^no$", regex=True, glob="b.*")
    assert narrow["matches"] == [{"path": "sub/b.py", "line": 1, "text": "no"}]
    below = await dev.call("dev.fs.search", query="os", path="sub")
    assert below["matches"] == [{"path": "sub/b.py", "line": 2, "text": "os.name: here"}]
    one = await dev.call("dev.fs.search", query="os", limit=1)
    assert (len(one["matches"]), one["truncated"]) == (1, True)


async def test_a_search_passes_over_worktrees_and_git(dev, root, git):
    (root / ".worktrees" / "other").mkdir(parents=True)
    (root / ".worktrees" / "other" / "a.txt").write_text("needle\n")
    (root / ".git" / "description").write_text("needle\n")
    (root / "b.txt").write_text("needle\n")
    everywhere = await dev.call("dev.fs.search", query="needle")
    assert [match["path"] for match in everywhere["matches"]] == ["b.txt"]


@pytest.mark.parametrize(
    "query", ["(", "((a{1,255}){1,255}){1,20}", "a\nb"], ids=["open", "bomb", "lines"]
)
async def test_a_pattern_that_is_none_or_too_much_is_invalid(dev, query, monkeypatch):
    # Enough for git, and full sooner: a slow machine takes seconds to fill a GiB.
    monkeypatch.setattr(searching, "MEMORY_BYTES_MAX", 128 * 1024**2)
    with pytest.raises(Invalid):
        await dev.call("dev.fs.search", query=query, regex=True)


async def test_a_file_that_takes_too_much_memory_is_too_large_and_can_be_passed_over(dev, root):
    (root / "a.txt").write_text("needle\n")
    with open(root / "huge", "wb") as file:
        file.truncate(MEMORY_BYTES_MAX)
    for regex in (False, True):
        with pytest.raises(TooLarge) as caught:
            await dev.call("dev.fs.search", query="needle", regex=regex)
        assert caught.value.details == {"bytesMax": MEMORY_BYTES_MAX}
    found = await dev.call("dev.fs.search", query="needle", glob="*.txt")
    assert [match["path"] for match in found["matches"]] == ["a.txt"]


async def test_what_a_search_says_does_not_follow_the_settings_of_the_machine(
    dev, root, git, monkeypatch
):
    monkeypatch.setenv("HOME", str(root.parent))
    git("config", "--global", "grep.fullName", "true")
    git("config", "--global", "grep.column", "true")
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_text("a needle\n")
    found = await dev.call("dev.fs.search", query="needle", path="sub")
    assert found["matches"] == [{"path": "sub/a.txt", "line": 1, "text": "a needle"}]


async def test_a_match_is_told_under_whatever_name_its_file_has(dev, root):
    odd = root / os.fsdecode(b"odd-\xff")
    odd.mkdir()
    (odd / "a\nb").write_text("needle\n")
    (root / "link").symlink_to(odd.name)
    found = await dev.call("dev.fs.search", query="needle", path="link")
    assert found["matches"] == [{"path": "odd-\ufffd/a\nb", "line": 1, "text": "needle"}]


@pytest.mark.parametrize("glob", ["../*", "/etc/*", "a/../../*"])
async def test_a_pattern_of_paths_does_not_lead_out(dev, glob):
    with pytest.raises(AccessDenied):
        await dev.call("dev.fs.search", query="root", glob=glob)
