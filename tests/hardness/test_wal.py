"""The write-ahead log of SQLite grows while somebody reads an old state, and not for ever."""

import asyncio
import sqlite3
import time

import pytest

from tests.hardness.clients import until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
WAL_MAX = 80 * MIB  # where the writer insists on a checkpoint, and a group on top
TEXT = {"text": "x" * 16 * 1024}


async def test_the_log_of_a_busy_hub_shrinks_once_an_old_reader_has_gone(start, connect, tmp_path):
    hub = start()
    spoke, caller = await connect(hub), await connect(hub)
    await spoke.register("busy")
    load = [asyncio.create_task(_keep_calling(caller)) for _ in range(16)]
    wal = tmp_path / "hub.sqlite-wal"

    reader = sqlite3.connect(f"file:{tmp_path / 'hub.sqlite'}?mode=ro", uri=True)
    reader.execute("BEGIN")
    seen = reader.execute("SELECT count(*) FROM call_graph_nodes").fetchone()
    before = wal.stat().st_size
    await until(lambda: wal.stat().st_size > before + 100 * MIB, timeout_s=60)
    assert reader.execute("SELECT count(*) FROM call_graph_nodes").fetchone() == seen
    reader.close()

    await until(lambda: wal.stat().st_size < WAL_MAX, timeout_s=30)
    sizes = []
    for _ in range(20):
        await asyncio.sleep(0.1)
        sizes.append(wal.stat().st_size)
    assert max(sizes) < WAL_MAX
    assert not any(each.done() for each in load)
    for each in load:
        each.cancel()
    await asyncio.gather(*load, return_exceptions=True)

    await until(lambda: wal.stat().st_size == 0)


async def test_writes_do_not_wait_for_whoever_reads_an_old_state(start, connect, tmp_path):
    hub = start()
    caller = await connect(hub)
    reader = sqlite3.connect(f"file:{tmp_path / 'hub.sqlite'}?mode=ro", uri=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM call_graph_nodes").fetchone()
    waited = []
    for n in range(4):
        began = time.monotonic()
        await caller.call("apiKey.create", {"name": f"key {n}", "scopes": []})
        waited.append(time.monotonic() - began)
        await asyncio.sleep(1.3)  # so that the writer finds itself idle in between
    reader.close()
    assert max(waited) < 1, waited


async def _keep_calling(caller):
    while True:
        await caller.call("try.echo", TEXT)
