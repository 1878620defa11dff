"""The conformance suite of MCP, against the fixture alone and against the hub with it behind."""

import pytest

from tests.support import conformance
from tests.support.upstream import fixture_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVER = [("2025-11-25", 30), ("2026-07-28", 37)]


@pytest.mark.parametrize(("revision", "count"), SERVER)
async def test_the_fixture_alone_passes_all_there_is(node, tmp_path, revision, count):
    async with fixture_server() as url:
        found = await conformance.run(node, "server", revision, tmp_path, "--url", url)
    assert {name: failed for name, failed in found.items() if failed} == {}
    wanted = conformance.required(node, revision, "server")
    assert set(wanted) <= set(found)
    assert len(wanted) == count
