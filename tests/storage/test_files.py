"""Nobody else on the machine reads what a hub keeps."""

import os
import stat

import pytest

from tests.support.hub import served


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
    names = ("hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm", "hub.sqlite.lock")
    assert modes == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
