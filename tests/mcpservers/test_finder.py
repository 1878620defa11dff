"""What is found is what is known, whatever changes, and filters come before the best are taken."""

from dataclasses import replace

import pytest

from hubbub.mcpservers.finder import Finder

from .said import container, entry, registry, remote, running, tool, workload

GITHUB = container("ghcr.io/github/server:1.0")
NOTION = remote("https://mcp.notion.com/mcp")


@pytest.fixture
def finder(database, bus):
    return Finder(database, bus, by_meaning=False)


async def tools(finder, text, limit=10, allowed=lambda server: True):
    found = await finder.tools(text, limit, allowed)
    return [
        (each.server.workload.workload_name, finder.tool("workload", each.tool).name)
        for each in found
    ]


async def servers(finder, text, limit=10, allowed=lambda server: True):
    return [each.server.name for each in await finder.servers(text, limit, allowed)]


async def test_a_server_is_found_by_itself_and_by_its_tools_and_once(ingestion, finder):
    await ingestion.registry(
        registry(
            entry("GitHub", GITHUB, tool("create_issue", "Opens an issue"), tool("close_issue")),
            entry("Notion", NOTION, tool("create_page")),
        )
    )
    assert await servers(finder, "open an issue") == ["GitHub"]
    assert await servers(finder, "notion") == ["Notion"]
    assert await servers(finder, "create", limit=1) != await servers(finder, "create", limit=2)
    assert sorted(await servers(finder, "create")) == ["GitHub", "Notion"]


async def test_the_index_follows_what_changes(ingestion, finder):
    assert await tools(finder, "merge") == []
    await ingestion.workloads(running(workload("gh", GITHUB, tool("merge"), tool("close"))))
    assert (await tools(finder, "merge"))[0] == ("gh", "merge")
    await ingestion.workloads(running(workload("gh", GITHUB, tool("merge", "Joins branches"))))
    assert await tools(finder, "branches") == [("gh", "merge")]
    assert ("gh", "close") not in await tools(finder, "close")
    await ingestion.workloads(running())
    assert await tools(finder, "merge") == []
    assert finder.counts() == {"registry": 0, "workload": 0}


async def test_an_index_that_is_read_later_is_the_same(ingestion, finder, database, bus):
    await ingestion.registry(registry(entry("GitHub", GITHUB, tool("search"))))
    await finder.servers("x", 1, lambda server: True)
    await ingestion.workloads(running(workload("gh", GITHUB, tool("merge"), tool("close"))))
    await ingestion.registry(registry(entry("Octo", GITHUB, tool("find"))))
    later = Finder(database, bus, by_meaning=False)
    for text in ("merge", "octo", "github", "search", "find"):
        assert await tools(finder, text) == await tools(later, text)
        assert await servers(finder, text) == await servers(later, text)
    assert finder.counts() == later.counts() == {"registry": 2, "workload": 2}


async def test_tools_are_found_only_while_their_server_runs(ingestion, embedder, finder):
    here = workload("gh", GITHUB, tool("merge"))
    await ingestion.workloads(running(here))
    assert await tools(finder, "merge") == [("gh", "merge")]
    await ingestion.workloads(running(replace(here, status="stopped")))
    assert await tools(finder, "merge") == []
    await ingestion.workloads(running(here))
    assert await tools(finder, "merge") == [("gh", "merge")]
    embedder.down = True
    await ingestion.workloads(running(workload("gh", GITHUB, tool("merge", "Is another"))))
    assert await tools(finder, "merge") == []
    embedder.down = False
    await ingestion.mend()
    assert await tools(finder, "merge") == [("gh", "merge")]


async def test_a_group_gets_its_full_number_of_tools(ingestion, finder):
    await ingestion.workloads(
        running(
            *(
                workload(
                    f"w{n}",
                    container(f"image-{n}"),
                    *(tool(f"merge_{m}") for m in range(5)),
                    group="mine" if n == 7 else "others",
                )
                for n in range(20)
            )
        )
    )
    found = await tools(finder, "merge", 5, lambda server: server.workload.group == "mine")
    assert sorted(found) == [("w7", f"merge_{m}") for m in range(5)]


async def test_tools_of_a_linked_workload_are_found_under_the_name_in_the_registry(
    ingestion, finder
):
    await ingestion.registry(registry(entry("Cat", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("merge"))))
    assert await tools(finder, "cat") == [("gh", "merge")]
    await ingestion.registry(registry(entry("Octo", GITHUB)))
    assert (await tools(finder, "cat"), await tools(finder, "octo")) == ([], [("gh", "merge")])
    await ingestion.registry(registry())
    assert (await tools(finder, "octo"), await tools(finder, "gh")) == ([], [("gh", "merge")])


async def test_parameters_are_found(ingestion, finder):
    schema = {"properties": {"branch": {"description": "What is merged into the trunk"}}}
    await ingestion.workloads(
        running(workload("gh", GITHUB, tool("merge", inputSchema=schema), tool("close")))
    )
    assert await tools(finder, "trunk") == [("gh", "merge")]
