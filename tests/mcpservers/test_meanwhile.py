"""What happens while texts are embedded, and what is the same the next time."""

import pytest

from hubbub.kernel.errors import Busy
from hubbub.mcpservers import tool_store, workload_store
from hubbub.mcpservers.ingestion import ATTEMPTS_MAX
from hubbub.mcpservers.vectors import mean

from .said import container, entry, registry, remote, running, tool, workload

GITHUB = container("ghcr.io/github/server:1.0")
NOTION = remote("https://mcp.notion.com/mcp")


class Meanwhile:
    """Does something the first times that texts are embedded."""

    def __init__(self, embedder, times=1):
        self.embed = embedder.embed
        self.times = times
        self.work = None
        embedder.embed = self

    async def __call__(self, texts):
        work, self.work = self.work, None
        if work is not None and self.times:
            self.times -= 1
            await work()
            self.work = work
        return await self.embed(texts)


async def test_others_write_while_texts_are_embedded(ingestion, embedder, database, rows):
    meanwhile = Meanwhile(embedder)

    async def another():
        await ingestion.workloads(running(workload("other", NOTION), source="other"))

    meanwhile.work = another
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    assert sorted(await rows.workloads()) == ["gh", "other"]


async def test_a_workload_that_comes_while_its_registry_server_goes_stands_alone(
    ingestion, embedder, rows
):
    await ingestion.registry(registry(entry("One", GITHUB)))
    await ingestion.workloads(running(workload("first", GITHUB, tool("a"))))
    meanwhile = Meanwhile(embedder)

    async def another():
        await ingestion.workloads(running(workload("second", GITHUB, tool("b")), source="another"))

    meanwhile.work = another
    await ingestion.registry(registry())
    found = await rows.workloads()
    assert {name: each.registry_server_id for name, each in found.items()} == {
        "first": None,
        "second": None,
    }
    for each in found.values():
        (kept,) = (await rows.tools("workload", each.id)).values()
        assert each.server_embedding == mean([kept.details_embedding])


async def test_a_rename_in_the_middle_of_an_ingestion_is_seen(ingestion, embedder, rows):
    await ingestion.registry(registry(entry("One", GITHUB)))
    meanwhile = Meanwhile(embedder)

    async def rename():
        await ingestion.registry(registry(entry("Two", GITHUB)))

    meanwhile.work = rename
    await ingestion.workloads(running(workload("w", GITHUB, tool("a"))))
    found = (await rows.workloads())["w"]
    assert found.registry_server_name == "Two"
    assert [text.splitlines()[0] for text in embedder.asked() if "Tool: a" in text] == [
        "Server: One",
        "Server: Two",
    ]


async def test_what_never_holds_still_is_given_up(ingestion, embedder):
    await ingestion.registry(registry(entry("One", GITHUB)))
    meanwhile = Meanwhile(embedder, times=ATTEMPTS_MAX)
    turn = iter(range(100))

    async def rename():
        await ingestion.registry(registry(entry(f"Name {next(turn)}", GITHUB)))

    meanwhile.work = rename
    with pytest.raises(Busy):
        await ingestion.workloads(running(workload("w", GITHUB, tool("a"))))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (registry(entry("One", GITHUB)), registry(entry("One", GITHUB, description="Other"))),
        (registry(entry("One", GITHUB)), registry(entry("Two", GITHUB))),
        (registry(entry("One", GITHUB)), registry(entry("One", GITHUB, tool("new")))),
        (registry(entry("One", GITHUB, tool("a"))), registry(entry("One", GITHUB, tools=None))),
        (running(workload("w", GITHUB)), running(workload("w", container("none")))),
        (running(workload("w", GITHUB)), running(workload("w", NOTION))),
        (running(workload("w", GITHUB)), running(workload("w", GITHUB, status="stopped"))),
        (running(workload("w", GITHUB)), running(workload("w", GITHUB, tools=None))),
        (running(workload("w", GITHUB)), running(workload("w", GITHUB, description="Mine"))),
    ],
)
async def test_what_changed_once_is_unchanged_the_next_time(
    ingestion, embedder, written, before, after
):
    await ingestion.registry(registry(entry("Linked", GITHUB), source="always"))
    ingest = ingestion.registry if before.source == "file" else ingestion.workloads
    await ingest(before)
    await ingest(after)
    embedder.asked(), written()
    await ingest(after)
    assert (embedder.asked(), written()) == ([], 0)


async def test_a_tool_that_is_asked_for_by_name_is_that_tool(ingestion, database, rows):
    await ingestion.workloads(running(workload("w", GITHUB, tool("a"), tool("b"))))
    server = (await rows.workloads())["w"]
    async with database.reading() as tx:
        found = await tool_store.get_named(tx, "workload", server.id, "b")
        assert await tool_store.get(tx, "workload", found.id) == found
        assert (found.name, found.mcpserver_id) == ("b", server.id)
        assert await workload_store.find(tx, "w") == await workload_store.find(tx, server.id)


async def test_what_is_not_named_stays_and_what_is_none_becomes_null(ingestion, database, rows):
    await ingestion.workloads(running(workload("w", GITHUB, tool("a"), description="Mine")))
    before = (await rows.workloads())["w"]

    async def change(tx):
        return await workload_store.change(tx, before.id, before.created_at, url="http://x")

    async def null(tx):
        return await workload_store.change(tx, before.id, before.created_at, url=None)

    assert (await database.write(change)).url == "http://x"
    after = await database.write(null)
    assert (after.url, after.description, after.package) == (None, "Mine", before.package)
