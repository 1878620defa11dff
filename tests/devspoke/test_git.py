"""dev.git over a wire, on real repositories."""

import os
import shutil
import stat

import pytest

from hubbub.client import AccessDenied, Conflict, DomainError, Invalid, NotFound


def program(path, marker):
    """An executable that leaves `marker` when it is run."""
    path.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def test_the_status_tells_the_branch_and_what_differs(dev, root, git):
    (root / "readme.txt").write_text("changed\n")
    (root / "staged.txt").write_text("staged\n")
    git("add", "staged.txt")
    (root / "with space.txt").write_text("unknown\n")
    assert await dev.call("dev.git.status") == {
        "branch": "main",
        "head": git("rev-parse", "HEAD"),
        "upstream": None,
        "ahead": 0,
        "behind": 0,
        "changes": [
            {"path": "readme.txt", "staged": ".", "unstaged": "M", "originalPath": None},
            {"path": "staged.txt", "staged": "A", "unstaged": ".", "originalPath": None},
            {"path": "with space.txt", "staged": "?", "unstaged": "?", "originalPath": None},
        ],
        "truncated": False,
    }


async def test_the_status_tells_renames_and_how_far_the_upstream_is(dev, root, git):
    git("checkout", "--quiet", "-b", "work", "--track", "main")
    git("mv", "readme.txt", "read me.txt")
    git("commit", "--quiet", "--message=Rename")
    git("mv", "read me.txt", "again.txt")
    status = await dev.call("dev.git.status")
    assert (status["branch"], status["upstream"], status["ahead"]) == ("work", "main", 1)
    assert status["changes"] == [
        {"path": "again.txt", "staged": "R", "unstaged": ".", "originalPath": "read me.txt"}
    ]


async def test_the_old_name_of_a_file_may_look_like_anything(dev, root, git):
    (root / "# notes").write_text("many words\n")
    (root / "z.txt").write_text("")
    git("add", ".")
    git("commit", "--quiet", "--message=Notes")
    git("mv", "# notes", "notes")
    (root / "z.txt").write_text("changed")
    assert (await dev.call("dev.git.status"))["changes"] == [
        {"path": "notes", "staged": "R", "unstaged": ".", "originalPath": "# notes"},
        {"path": "z.txt", "staged": ".", "unstaged": "M", "originalPath": None},
    ]


async def test_the_status_tells_when_there_is_no_branch_or_no_commit(dev, root, git):
    git("checkout", "--quiet", "--detach")
    status = await dev.call("dev.git.status")
    assert (status["branch"], status["head"]) == (None, git("rev-parse", "HEAD"))
    git("checkout", "--quiet", "--orphan", "fresh")
    status = await dev.call("dev.git.status")
    assert (status["branch"], status["head"]) == ("fresh", None)


async def test_the_log_tells_commits_newest_first(dev, root, git):
    (root / "b.txt").write_text("b\n")
    git("add", ".")
    git("commit", "--quiet", "--message=Add b\n\nBecause it was\nmissing.")
    first, second = git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")
    log = await dev.call("dev.git.log")
    assert [commit["id"] for commit in log["commits"]] == [second, first]
    assert log["commits"][0]["subject"] == "Add b"
    assert log["commits"][0]["body"] == "Because it was\nmissing."
    assert log["commits"][1] == {
        "id": first,
        "parents": [],
        "author": "Ada",
        "email": "ada@example.org",
        "date": "2024-05-01T12:00:00+02:00",
        "subject": "Begin",
        "body": "",
    }
    assert await dev.call("dev.git.log", limit=1) == {
        "commits": log["commits"][:1],
        "truncated": True,
    }
    of_one = await dev.call("dev.git.log", file="readme.txt")
    assert [commit["id"] for commit in of_one["commits"]] == [first]
    assert (await dev.call("dev.git.log", ref="main~1"))["commits"] == log["commits"][1:]
    git("config", "i18n.logOutputEncoding", "UTF-16")
    assert await dev.call("dev.git.log") == log


async def test_the_diff_tells_what_is_not_staged_what_is_and_what_was(dev, root, git):
    (root / "readme.txt").write_text("second\n")
    unstaged = await dev.call("dev.git.diff")
    assert "-first\n+second\n" in unstaged["text"]
    assert (await dev.call("dev.git.diff", staged=True))["text"] == ""
    git("add", ".")
    assert await dev.call("dev.git.diff", staged=True) == unstaged
    git("commit", "--quiet", "--message=Change")
    assert await dev.call("dev.git.diff", base="HEAD~1", head="main") == unstaged
    assert (await dev.call("dev.git.diff", base="HEAD~1", file="none"))["text"] == ""


@pytest.mark.parametrize("ref", ["-x", "--output=stolen", "^HEAD", ""])
async def test_what_could_be_an_option_or_an_exception_is_no_ref(dev, root, git, ref):
    for operation, field in (("dev.git.log", "ref"), ("dev.git.diff", "base")):
        if ref or field == "ref":
            with pytest.raises(Invalid):
                await dev.call(operation, **{field: ref})
    assert sorted(os.listdir(root)) == [".git", "readme.txt"]


async def test_a_ref_that_names_nothing_is_not_found(dev, git):
    with pytest.raises(NotFound) as caught:
        await dev.call("dev.git.log", ref="nowhere")
    assert caught.value.details == {"ref": "nowhere"}


async def test_where_there_is_no_repository_it_is_not_found(dev, root):
    with pytest.raises(NotFound):
        await dev.call("dev.git.status")


async def test_a_repository_around_the_root_is_not_the_roots(dev, root, git):
    top = root.parent
    git("init", "--quiet", folder=top)
    os.rename(root / ".git", top / "moved")
    with pytest.raises(NotFound):
        await dev.call("dev.git.status")


WAYS_OUT = ["file", "link", "work tree", "objects", "borrowed objects", "half a file"]


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_a_repository_that_leads_out_of_the_root_is_refused(dev, root, git, way):
    sub, other = root / "sub", root.parent / "other"
    other.mkdir()
    git("init", "--quiet", folder=other)
    sub.mkdir()
    if way == "file":
        (sub / ".git").write_text(f"gitdir: {other / '.git'}\n")
    elif way == "link":
        (sub / ".git").symlink_to(other / ".git")
    elif way == "half a file":
        (other / "HEAD").write_text("ref: refs/heads/main\n")
        (other / "commondir").write_text(f"{root / '.git'}\n")
        (sub / ".git").write_text(f"gitdir: {other}\n")
    elif way == "objects":
        git("init", "--quiet", folder=sub)
        shutil.rmtree(sub / ".git" / "objects")
        (sub / ".git" / "objects").symlink_to(other / ".git" / "objects")
    elif way == "borrowed objects":
        git("clone", "--quiet", "--shared", str(other), str(sub))
    else:
        git("init", "--quiet", folder=sub)
        git("config", "core.worktree", str(other), folder=sub)
    for operation in ("status", "log", "diff"):
        with pytest.raises(AccessDenied):
            await dev.call(f"dev.git.{operation}", path="sub")
    with pytest.raises(AccessDenied):
        await dev.call("dev.git.status", path="../other")


async def test_a_folder_that_looks_like_a_repository_is_none(dev, root, git):
    fake = root / "fake"
    git("init", "--quiet", "--bare", str(fake))
    marker = root.parent / "run"
    hook = program(fake / "monitor", marker)
    git("config", "core.fsmonitor", str(hook), folder=fake)
    with pytest.raises(NotFound):
        await dev.call("dev.git.status", path="fake")
    assert not marker.exists()


async def test_a_repository_that_a_caller_could_write_is_not_read(dev, root, git):
    sub, marker = root / "sub", root.parent / "run"
    git("init", "--quiet", "--separate-git-dir", str(root / "store"), str(sub))
    (sub / "a.txt").write_text("a\n")
    git("add", ".", folder=sub)
    config = (root / "store" / "config").read_text()
    config += f'[filter "odd"]\n\tclean = touch {marker}\n'
    await dev.call("dev.fs.write", path="store/config", text=config)
    await dev.call("dev.fs.write", path="sub/.gitattributes", text="*.txt filter=odd\n")
    await dev.call("dev.fs.write", path="sub/a.txt", text="b\n")
    for operation in ("status", "log", "diff"):
        with pytest.raises(AccessDenied):
            await dev.call(f"dev.git.{operation}", path="sub")
    assert not marker.exists()


async def test_reading_runs_nothing_that_the_repository_names(dev, root, git):
    marker = root.parent / "run"
    runs = program(root.parent / "program", marker)
    hooks = root.parent / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        program(hooks / hook, marker)
    (root / ".gitattributes").write_text("*.txt diff=odd\n")
    for name in ("core.fsmonitor", "core.pager", "diff.external", "diff.odd.textconv"):
        git("config", name, str(runs))
    for name in ("diff.odd.command", "gpg.program"):
        git("config", name, str(runs))
    git("config", "log.showSignature", "true")
    git("config", "core.hooksPath", str(hooks))
    (root / "readme.txt").write_text("second\n")
    await dev.call("dev.git.status")
    await dev.call("dev.git.log")
    assert "+second" in (await dev.call("dev.git.diff"))["text"]
    await dev.call("dev.git.worktreeCreate", name="one", branch="work")
    await dev.call("dev.git.worktreeRemove", name="one")
    assert not marker.exists()


async def test_a_worktree_is_made_for_a_new_branch_and_removed(dev, root, git):
    made = await dev.call("dev.git.worktreeCreate", name="one", branch="feature/one")
    head = git("rev-parse", "HEAD")
    assert made == {
        "name": "one",
        "path": ".worktrees/one",
        "branch": "feature/one",
        "head": head,
    }
    assert (root / ".worktrees" / "one" / "readme.txt").read_text() == "first\n"
    status = await dev.call("dev.git.status", path=made["path"])
    assert (status["branch"], status["changes"]) == ("feature/one", [])
    assert (await dev.call("dev.git.status"))["changes"] == []
    with pytest.raises(Conflict):
        await dev.call("dev.git.worktreeCreate", name="one", branch="other")
    (root / ".worktrees" / "one" / "new.txt").write_text("unsaved")
    with pytest.raises(Conflict):
        await dev.call("dev.git.worktreeRemove", name="one")
    removed = await dev.call("dev.git.worktreeRemove", name="one", force=True)
    assert removed == {"name": "one"}
    assert os.listdir(root / ".worktrees") == []
    again = await dev.call("dev.git.worktreeCreate", name="two", branch="feature/one")
    assert again["branch"] == "feature/one"
    with pytest.raises(NotFound):
        await dev.call("dev.git.worktreeRemove", name="one")


async def test_what_git_refuses_is_told_in_its_words(dev, git):
    with pytest.raises(DomainError) as caught:
        await dev.call("dev.git.worktreeCreate", name="one", branch="main")
    assert caught.value.name == "GIT_FAILED"
    assert "main" in caught.value.details["stderr"]


@pytest.mark.parametrize("name", ["..", "../out", "a/b", "-f", ".git", ""])
async def test_a_worktree_has_a_plain_name(dev, root, git, name):
    for operation in ("worktreeCreate", "worktreeRemove"):
        more = {"branch": "work"} if operation == "worktreeCreate" else {}
        with pytest.raises(Invalid):
            await dev.call(f"dev.git.{operation}", name=name, **more)
    assert not (root / ".worktrees").exists()


@pytest.mark.parametrize("branch", ["-b", "a..b", "a b", "@{-1}", ""])
async def test_a_branch_has_a_name_that_git_accepts(dev, git, branch):
    with pytest.raises(Invalid):
        await dev.call("dev.git.worktreeCreate", name="one", branch=branch)


async def test_worktrees_do_not_go_where_a_link_leads(dev, root, git):
    outside = root.parent / "outside"
    outside.mkdir()
    (root / ".worktrees").symlink_to(outside)
    with pytest.raises(AccessDenied):
        await dev.call("dev.git.worktreeCreate", name="one", branch="work")
    (root / ".worktrees").unlink()
    (root / ".worktrees").mkdir()
    (root / ".worktrees" / "one").symlink_to(outside)
    for operation, more in (("worktreeCreate", {"branch": "work"}), ("worktreeRemove", {})):
        with pytest.raises(AccessDenied):
            await dev.call(f"dev.git.{operation}", name="one", **more)
    assert os.listdir(outside) == []


async def test_a_worktree_that_lies_elsewhere_is_not_removed_for_its_name(dev, root, git):
    elsewhere = root.parent / "feature"
    git("worktree", "add", "--quiet", "-b", "feature", str(elsewhere))
    await dev.call("dev.fs.write", path=".worktrees/feature/x", text="", createParents=True)
    with pytest.raises(DomainError):
        await dev.call("dev.git.worktreeRemove", name="feature", force=True)
    assert (elsewhere / "readme.txt").read_text() == "first\n"


async def test_the_folder_of_the_worktrees_is_not_another_repositorys(dev, root, git):
    other = root.parent / "other"
    other.mkdir()
    git("init", "--quiet", folder=other)
    (root / ".worktrees" / "one").mkdir(parents=True)
    (root / ".worktrees" / ".git").write_text(f"gitdir: {other / '.git'}\n")
    before = sorted(os.listdir(other / ".git"))
    with pytest.raises(AccessDenied):
        await dev.call("dev.git.worktreeCreate", name="two", branch="work")
    with pytest.raises(AccessDenied):
        await dev.call("dev.git.worktreeRemove", name="one", force=True)
    assert sorted(os.listdir(other / ".git")) == before


async def test_the_history_of_a_submodule_is_not_told(dev, root, git):
    other = root.parent / "other"
    git("clone", "--quiet", str(root), str(other))
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},sub")
    author = ("-c", "user.name=Eve", "-c", "user.email=eve@example.org")
    git(*author, "commit", "--quiet", "--allow-empty", "--message=Secret", folder=other)
    (root / "sub").mkdir()
    (root / "sub" / ".git").write_text(f"gitdir: {other / '.git'}\n")
    git("config", "diff.submodule", "log")
    told = (await dev.call("dev.git.diff"))["text"]
    assert ("+Subproject commit" in told, "Secret" in told) == (True, False)


async def test_however_much_git_warns_of_it_answers(dev, root, git):
    git("config", "core.autocrlf", "input")
    files = [root / f"{n:04}-{'x' * 150}.txt" for n in range(400)]
    for file in files:
        file.write_bytes(b"old\n")
    git("add", ".")
    for file in files:
        file.write_bytes(b"new\r\n")
    assert (await dev.call("dev.git.diff"))["text"].count("+new") == len(files)
