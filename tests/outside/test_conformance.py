"""The conformance suite of MCP, against the fixture alone and against the hub with it behind."""

import sys

import pytest

from tests.support import conformance
from tests.support.upstream import COMMAND, fixture_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVER = [("2025-11-25", 30), ("2026-07-28", 37)]


def unmet(found, wanted=None):
    """What failed, and what was not even tried."""
    missing = {name: ["not run"] for name in wanted or () if name not in found}
    named = {name: found[name] for name in (wanted or found) if name in found}
    return {name: failed for name, failed in {**missing, **named}.items() if failed}


@pytest.mark.parametrize(("revision", "count"), SERVER)
async def test_the_fixture_alone_passes_all_there_is(node, tmp_path, revision, count):
    async with fixture_server() as url:
        found = await conformance.run_server(node, revision, tmp_path, url)
    assert unmet(found) == {}
    wanted = conformance.required(node, revision, "server")
    assert unmet(found, wanted) == {}
    assert len(wanted) == count


@pytest.mark.parametrize("upstream", ["http", "stdio"])
@pytest.mark.parametrize("revision", [revision for revision, _ in SERVER])
async def test_the_hub_with_the_fixture_behind_it_passes_all_there_is(
    node, tmp_path, hub, add, profile, revision, upstream
):
    async with fixture_server() as server:
        if upstream == "http":
            await add("fixture", transport="streamable-http", url=server)
        else:
            await add(
                "fixture", transport="stdio", command=COMMAND[0], args=[*COMMAND[1:], "--stdio"]
            )
        url = await profile("conformance", "fixture")
        async with conformance.introduced(url, hub.key) as known:
            found = await conformance.run_server(node, revision, tmp_path, known)
    assert unmet(found) == {}
    assert unmet(found, conformance.required(node, revision, "server")) == {}


# What a server of the older era cannot do, whoever stands before it: it gives no names to what it
# asks, asks one thing after the other, and has no code for a client that cannot be asked.
BEYOND_LEGACY = {
    "input-required-result-basic-elicitation",
    "input-required-result-multiple-input-requests",
    "server-stateless",
}


@pytest.mark.parametrize(
    ("revision", "era", "beyond"),
    [("2025-11-25", "modern", set()), ("2026-07-28", "legacy", BEYOND_LEGACY)],
)
async def test_a_server_of_the_other_era_is_served_as_if_it_were_of_this(
    node, tmp_path, hub, add, profile, revision, era, beyond
):
    async with fixture_server("--era", era) as server:
        await add("fixture", transport="streamable-http", url=server)
        url = await profile("conformance", "fixture")
        async with conformance.introduced(url, hub.key) as known:
            found = await conformance.run_server(node, revision, tmp_path, known)
    wanted = conformance.required(node, revision, "server")
    assert set(unmet(found, wanted)) <= beyond


@pytest.mark.parametrize("revision", [revision for revision, _ in SERVER])
async def test_the_hub_as_a_client_passes_all_that_is_required(node, tmp_path, hub, revision):
    command = f"{sys.executable} {conformance.AGENT}"
    environment = {"HUBBUB_URL": hub.url, "HUBBUB_KEY": hub.key}
    wanted = conformance.required(node, revision, "client")
    found = await conformance.run_client(node, revision, tmp_path, command, wanted, environment)
    assert unmet(found, wanted) == {}


async def test_the_hub_has_credentials_of_its_own_where_a_server_wants_no_person(
    node, tmp_path, hub
):
    command = f"{sys.executable} {conformance.AGENT}"
    environment = {"HUBBUB_URL": hub.url, "HUBBUB_KEY": hub.key}
    name = "auth/client-credentials-basic"
    found = await conformance.run_client(node, None, tmp_path, command, [name], environment)
    assert found == {name: []}
