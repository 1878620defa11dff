"""dev.proc over a wire, with real processes."""

import asyncio
import os
from pathlib import Path, PurePath

import pytest

from hubbub.client import AccessDenied, Invalid, NotFound, TimedOut, TooLarge
from hubbub.devspoke import dev_spoke
from hubbub.devspoke.children import child
from hubbub.devspoke.programs import OUTPUT_BYTES_MAX
from hubbub.devspoke.root import Root

# Its own child, in the background, holds the pipes open and must not outlive it.
PARENT_AND_CHILD = "sleep 60 & echo $!; exec sleep 60"


async def gone(pid):
    """Wait until no process has that id, or only its remains."""
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        await asyncio.sleep(0)


async def test_programs_are_not_offered_unless_they_are_listed(connect):
    assert "dev.proc.run" not in (await connect()).operations
    assert "dev.proc.run" in (await connect(allow=["sh"])).operations


async def test_what_a_program_says_is_streamed_and_then_how_it_ended(connect, root):
    dev = await connect(allow=["sh"])
    (root / "sub").mkdir()
    script = "pwd; printf 'caf\\303'; printf '\\251'; echo no >&2; exit 3"
    chunks = await dev.stream("dev.proc.run", program="sh", args=["-c", script], path="sub")
    said = {"stdout": "", "stderr": ""}
    for chunk in chunks[:-1]:
        said[chunk["stream"]] += chunk["text"]
    assert said == {"stdout": f"{root / 'sub'}\ncafé", "stderr": "no\n"}
    assert chunks[-1] == {"exitCode": 3}


async def test_a_program_sees_little_of_the_environment_and_no_input(connect, monkeypatch):
    monkeypatch.setenv("HUBBUB_KEY", "secret")
    dev = await connect(allow=["sh"])
    chunks = await dev.stream("dev.proc.run", program="sh", args=["-c", "cat; echo $HUBBUB_KEY"])
    assert chunks == [{"stream": "stdout", "text": "\n"}, {"exitCode": 0}]


async def test_an_argument_is_an_argument(connect):
    dev = await connect(allow=["echo"])
    chunks = await dev.stream("dev.proc.run", program="echo", args=["$HOME; ls", "*"])
    assert chunks[0]["text"] == "$HOME; ls *\n"


async def test_a_program_that_is_not_listed_is_denied(connect):
    dev = await connect(allow=["echo"])
    for program in ("sh", "/bin/echo", "./echo", ""):
        with pytest.raises(AccessDenied) as caught:
            await dev.stream("dev.proc.run", program=program)
        assert caught.value.details == {"program": program, "allowed": ["echo"]}


async def test_a_program_that_is_not_installed_is_not_found(connect):
    dev = await connect(allow=["no-such-program"])
    with pytest.raises(NotFound):
        await dev.stream("dev.proc.run", program="no-such-program")


async def test_it_starts_nowhere_but_in_the_root(connect, root):
    dev = await connect(allow=["pwd"])
    (root / "out").symlink_to("..")
    for path in ("..", "out", "/"):
        with pytest.raises(AccessDenied):
            await dev.stream("dev.proc.run", program="pwd", path=path)


@pytest.mark.parametrize("arg", ["a\0b", "x" * 4_000_000])
async def test_what_cannot_be_an_argument_is_invalid(connect, arg):
    dev = await connect(allow=["pwd"])
    with pytest.raises(Invalid) as caught:
        await dev.stream("dev.proc.run", program="pwd", args=[arg])
    assert caught.value.details["errors"][0]["field"] == "args"


def test_a_list_of_programs_holds_bare_names(root):
    with pytest.raises(ValueError):
        dev_spoke(root, "laptop", allow=["/bin/sh"])
    with pytest.raises(NotADirectoryError):
        dev_spoke(root / "missing", "laptop")


async def test_an_abort_kills_the_program_and_what_it_started(connect):
    dev = await connect(allow=["sh"])
    await dev.request("dev.proc.run", program="sh", args=["-c", PARENT_AND_CHILD])
    child = int((await dev.answer())["text"])
    await dev.abort()
    assert await dev.answer() is None
    await gone(child)


@pytest.mark.slow
async def test_a_timeout_kills_the_program_and_what_it_started(connect):
    dev = await connect(allow=["sh"])
    await dev.request("dev.proc.run", program="sh", args=["-c", PARENT_AND_CHILD], timeoutS=1)
    child = int((await dev.answer())["text"])
    with pytest.raises(TimedOut) as caught:
        await dev.answer()
    assert caught.value.details == {"timeoutS": 1.0}
    await gone(child)


async def test_a_timeout_kills_a_program_that_has_closed_its_streams(connect):
    dev = await connect(allow=["sh"])
    script = "exec >&- 2>&-; exec sleep 60"
    with pytest.raises(TimedOut):
        await dev.stream("dev.proc.run", program="sh", args=["-c", script], timeoutS=0.2)


async def test_a_program_that_leaves_a_child_behind_ends_all_the_same(connect):
    dev = await connect(allow=["sh"])
    chunks = await dev.stream("dev.proc.run", program="sh", args=["-c", "sleep 60 & echo $!"])
    assert chunks[-1] == {"exitCode": 0}
    await gone(int(chunks[0]["text"]))


async def test_a_program_ended_by_a_signal_tells_which(connect):
    dev = await connect(allow=["sh"])
    chunks = await dev.stream("dev.proc.run", program="sh", args=["-c", "kill -9 $$"])
    assert chunks == [{"exitCode": -9}]


async def test_a_program_that_never_stops_talking_is_stopped(connect):
    dev = await connect(allow=["yes"])
    with pytest.raises(TooLarge) as caught:
        await dev.stream("dev.proc.run", program="yes")
    assert caught.value.details == {"bytesMax": OUTPUT_BYTES_MAX}


async def test_no_descriptor_is_left_open(connect, root, git):
    dev = await connect(allow=["true"])
    everything = (
        ("dev.proc.run", {"program": "true"}),
        ("dev.git.status", {}),
        ("dev.fs.search", {"query": "first"}),
        ("dev.fs.read", {"path": "readme.txt"}),
        ("dev.fs.list", {"depth": 5}),
        ("dev.fs.write", {"path": "b.txt", "text": "b"}),
    )

    async def once():
        for operation, input in everything:
            await (dev.stream if operation == "dev.proc.run" else dev.call)(operation, **input)
        return len(os.listdir("/proc/self/fd"))

    assert await once() == await once()


async def test_a_child_that_is_given_up_while_it_is_born_leaves_no_descriptor_open(root):
    async def born():
        with Root(root).folder(PurePath()) as folder:
            async with child(["true"], folder=folder, environment={}):
                raise AssertionError("given up before")

    before = len(os.listdir("/proc/self/fd"))
    for steps in range(5):
        being_born = asyncio.create_task(born())
        for _ in range(steps):
            await asyncio.sleep(0)
        being_born.cancel()
        await asyncio.wait((being_born,))
        assert being_born.cancelled()
    await asyncio.sleep(0)  # a transport lets go of its pipe a turn after it was closed
    assert len(os.listdir("/proc/self/fd")) == before
