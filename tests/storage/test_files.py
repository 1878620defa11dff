"""The files of a hub: nobody else on the machine reads them, no second hub disturbs them."""

import os
import stat
import subprocess
import sys

import pytest
from sqlalchemy import select

from hubbub.app import open_database
from hubbub.kernel.errors import Conflict
from hubbub.kernel.events import Bus
from hubbub.projects.tables import projects
from tests.support.hub import served

TAKE = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held")
"""


@pytest.mark.parametrize("mask", [0o000, 0o022])
async def test_the_files_of_a_hub_are_for_nobody_else_to_read(tmp_path, mask):
    before = os.umask(mask)
    try:
        async with served(f"sqlite:///{tmp_path / 'data' / 'hub.sqlite'}", "") as hub:
            await hub.door()("account.me")
            await hub.written()
            files = (tmp_path / "data").iterdir()
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    finally:
        os.umask(before)
    ends = ("", "-wal", "-shm", ".lock", ".keys")
    assert modes == {f"hub.sqlite{end}": 0o600 for end in ends}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


async def test_a_hub_that_is_turned_away_leaves_the_locks_of_the_first_in_place(tmp_path):
    """POSIX drops all locks of a process on a file as soon as it closes any descriptor of it."""
    path = tmp_path / "hub.sqlite"
    database = await open_database(f"sqlite:///{path}", Bus())
    async with database.reading() as tx:
        await tx.execute(select(projects))
    with pytest.raises(Conflict) as refused:
        await open_database(f"sqlite:///{path}", Bus())
    assert refused.value.details == {"database": str(path), "process": str(os.getpid())}
    taken = subprocess.run([sys.executable, "-c", TAKE, path], capture_output=True, check=True)
    await database.close()
    assert taken.stdout.split() == [b"held"]
