"""While the database takes nothing, what waits to be written is bounded."""

import sqlite3

import pytest

from tests.hardness.clients import Refused, until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
TEXT = {"text": "x" * 60 * 1024}
CALLS_MAX = 4000  # of which the texts alone, said and answered, are 480 MiB


async def test_a_hub_that_cannot_write_its_records_says_so_before_it_grows(
    start, connect, tmp_path
):
    hub = start()
    spoke, caller = await connect(hub), await connect(hub)
    await spoke.register("busy")
    await until(lambda: hub.metric("call_records_waiting") == 0)
    before = hub.rss_bytes()
    other = sqlite3.connect(tmp_path / "hub.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as refused:
        for _ in range(CALLS_MAX):
            await caller.call("try.echo", TEXT)
    assert refused.value.code == "BUSY"
    assert refused.value.details["retryAfterMs"] > 0
    assert hub.rss_bytes() - before < 256 * MIB
    other.rollback()
    other.close()

    await until(lambda: hub.metric("call_records_waiting") == 0, timeout_s=60)
    assert await caller.call("try.echo", TEXT) == TEXT
