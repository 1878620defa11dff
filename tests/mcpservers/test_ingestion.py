"""What the rows are after a source has said something, on both databases."""

from dataclasses import replace

import pytest

from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.matching import tolerant
from hubbub.mcpservers.vectors import mean

from .conftest import vector
from .said import container, entry, registry, remote, running, tool, workload

GITHUB = container("ghcr.io/github/server:1.0")
NOTION = remote("https://mcp.notion.com/mcp")


async def test_a_workload_is_linked_to_the_entry_that_it_is_made_from(ingestion, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB), entry("Notion", NOTION)))
    await ingestion.workloads(
        running(workload("gh", GITHUB), workload("notes", NOTION), workload("own", container("x")))
    )
    found = await rows.workloads()
    assert {name: each.registry_server_name for name, each in found.items()} == {
        "gh": "GitHub",
        "notes": "Notion",
        "own": None,
    }


async def test_what_a_workload_inherits_is_read_where_it_stands(ingestion, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("search"))))
    found = await rows.joined("gh")
    assert found.effective_description == "GitHub as the registry says"
    assert found.effective_embedding == (await rows.registry())["GitHub"].server_embedding
    await ingestion.registry(registry(entry("GitHub", GITHUB, description="Code, and more")))
    found = await rows.joined("gh")
    assert found.effective_description == "Code, and more"
    assert found.effective_embedding == (await rows.registry())["GitHub"].server_embedding


async def test_a_workload_that_stands_alone_describes_itself_and_means_what_its_tools_mean(
    ingestion, rows
):
    await ingestion.workloads(running(workload("own", container("x"), tool("b"), tool("a"))))
    found = (await rows.workloads())["own"]
    tools = await rows.tools("workload", found.id)
    assert found.description == "own, a server with a, b."
    assert found.server_embedding == mean([tools[name].details_embedding for name in "ab"])


async def test_nothing_is_embedded_and_nothing_written_while_nothing_changes(
    ingestion, embedder, rows, written
):
    there = registry(entry("GitHub", GITHUB, tool("search"), definition={"title": "GitHub"}))
    here = running(workload("gh", GITHUB, tool("search"), tool("merge")))
    await ingestion.registry(there)
    await ingestion.workloads(here)
    embedder.asked(), written()
    assert (await ingestion.registry(there)).unchanged == 1
    assert (await ingestion.workloads(here)).unchanged == 1
    assert (embedder.asked(), written()) == ([], 0)


async def test_of_a_tool_that_changed_one_text_is_embedded_and_one_row_is_another(
    ingestion, embedder, rows
):
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"), tool("b"))))
    server = (await rows.workloads())["gh"].id
    before = await rows.tools("workload", server)
    embedder.asked()
    await ingestion.workloads(
        running(workload("gh", GITHUB, tool("a"), tool("b", "Does another thing.")))
    )
    after = await rows.tools("workload", server)
    assert after["a"] == before["a"]
    assert after["b"].id == before["b"].id
    assert after["b"].details["description"] == "Does another thing."
    (text,) = embedder.asked()
    assert after["b"].details_embedding == vector(text)


@pytest.mark.parametrize(
    "more",
    [
        {"title": "Another"},
        {"annotations": {"readOnlyHint": True}},
        {"outputSchema": {"type": "object"}},
        {"_meta": {"a": 1}},
        {"icons": []},
    ],
)
async def test_whatever_of_a_tool_changes_is_kept(ingestion, rows, more):
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a", **more))))
    server = (await rows.workloads())["gh"].id
    assert (await rows.tools("workload", server))["a"].details == tool("a", **more).details


async def test_tools_that_come_and_go_leave_the_link_and_the_others_alone(ingestion, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"), tool("b"))))
    before = (await rows.workloads())["gh"]
    kept = (await rows.tools("workload", before.id))["b"]
    await ingestion.workloads(running(workload("gh", GITHUB, tool("b"), tool("c"))))
    after = (await rows.workloads())["gh"]
    assert after.registry_server_id == before.registry_server_id is not None
    tools = await rows.tools("workload", after.id)
    assert (list(tools), tools["b"]) == (["b", "c"], kept)


async def test_a_change_of_registry_tools_never_touches_workloads(ingestion, embedder, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB, tool("a"))))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    before = (await rows.workloads())["gh"]
    tools = await rows.tools("workload", before.id)
    embedder.asked()
    await ingestion.registry(registry(entry("GitHub", GITHUB, tool("a", "Is another"))))
    assert len(embedder.asked()) == 1
    assert (await rows.workloads())["gh"] == before
    assert await rows.tools("workload", before.id) == tools


async def test_a_rename_in_the_registry_embeds_the_linked_tools_at_once(ingestion, embedder, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(
        running(workload("gh", GITHUB, tool("a")), workload("own", container("x"), tool("a")))
    )
    embedder.asked()
    await ingestion.registry(registry(entry("Octo", GITHUB)))
    found = (await rows.workloads())["gh"]
    tools = await rows.tools("workload", found.id)
    texts = [text for text in embedder.asked() if "Tool: a" in text]
    assert found.registry_server_name == "Octo"
    assert [text.splitlines()[0] for text in texts] == ["Server: Octo"]
    assert tools["a"].details_embedding == vector(texts[0])
    assert found.server_embedding == mean([vector(texts[0])])


async def test_a_workload_whose_registry_server_goes_stands_alone_in_the_same_transaction(
    ingestion, embedder, rows
):
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    await ingestion.registry(registry())
    found = await rows.joined("gh")
    tools = await rows.tools("workload", found.workload.id)
    assert (found.registry, found.workload.registry_server_name) == (None, None)
    assert found.effective_description == "gh, a server with a."
    assert found.effective_embedding == mean([tools["a"].details_embedding])
    assert embedder.asked()[-1].startswith("Server: gh\nTool: a")


async def test_a_workload_known_by_something_else_is_matched_again(ingestion, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB), entry("Notion", NOTION)))
    await ingestion.workloads(running(workload("w", GITHUB, tool("a"))))
    first = (await rows.workloads())["w"]
    await ingestion.workloads(running(workload("w", NOTION, tool("a"))))
    second = (await rows.workloads())["w"]
    await ingestion.workloads(running(workload("w", container("nothing"), tool("a"))))
    third = (await rows.workloads())["w"]
    assert {first.id, second.id, third.id} == {first.id}
    assert [each.registry_server_name for each in (first, second, third)] == [
        "GitHub",
        "Notion",
        None,
    ]
    assert (third.url, third.package, third.registry_server_id) == (None, "nothing", None)
    assert third.description == "w, a server with a."


async def test_an_entry_that_comes_later_is_linked_when_somebody_asks_for_it(ingestion, rows):
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"), tool("b"))))
    found = (await rows.workloads())["gh"]
    assert found.registry_server_id is None
    report = await ingestion.rematch([found.id])
    assert (report.changed, (await rows.workloads())["gh"].registry_server_name) == (1, "GitHub")


async def test_two_entries_known_by_the_same_are_refused_and_both_named(ingestion, rows):
    await ingestion.registry(registry(entry("Old", NOTION)))
    with pytest.raises(Conflict) as refused:
        await ingestion.registry(registry(entry("One", GITHUB), entry("Two", GITHUB)))
    assert refused.value.details["servers"] == ["One", "Two"]
    assert list(await rows.registry()) == ["Old"]


async def test_what_one_source_says_another_does_not_take_over(ingestion, rows):
    await ingestion.registry(registry(entry("One", GITHUB)))
    report = await ingestion.registry(
        registry(entry("Two", GITHUB), entry("Notion", NOTION), source="other")
    )
    assert list(await rows.registry()) == ["Notion", "One"]
    (why,) = report.refused
    assert "One" in why and "Two" in why
    await ingestion.registry(registry(source="other"))
    assert list(await rows.registry()) == ["One"]


async def test_a_workload_that_several_entries_match_is_refused_and_the_others_are_not(
    database, embedder, rows
):
    ingestion = Ingestion(database, lambda: embedder, utc_now, tolerant)
    await ingestion.registry(
        registry(entry("One", container("mcp/x:1")), entry("Two", container("mcp/x:2")))
    )
    report = await ingestion.workloads(
        running(
            workload("w", container("mcp/x:3")),
            workload("exact", container("mcp/x:2")),
            workload("other", container("mcp/y")),
        )
    )
    found = await rows.workloads()
    assert {name: each.registry_server_name for name, each in found.items()} == {
        "exact": "Two",
        "other": None,
    }
    assert report.refused == ["w: several registry servers match: One, Two"]


async def test_a_workload_whose_tools_cannot_be_embedded_is_there_and_says_so(
    ingestion, embedder, rows
):
    embedder.down = True
    here = running(workload("gh", GITHUB, tool("a")))
    await ingestion.workloads(here)
    found = (await rows.workloads())["gh"]
    assert (found.status, found.fault) == ("error", "the model is away")
    assert list(await rows.tools("workload", found.id)) == ["a"]
    embedder.down = False
    await ingestion.workloads(here)
    found = (await rows.workloads())["gh"]
    assert (found.status, found.fault) == ("running", None)
    assert found.server_embedding is not None


async def test_what_could_not_be_embedded_is_tried_again_without_its_source(
    ingestion, embedder, rows
):
    await ingestion.registry(registry(entry("GitHub", GITHUB)))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"), status="stopped")))
    embedder.down = True
    await ingestion.registry(registry())
    assert (await rows.workloads())["gh"].status == "error"
    await ingestion.mend()
    assert (await rows.workloads())["gh"].status == "error"
    embedder.down = False
    await ingestion.mend()
    found = (await rows.workloads())["gh"]
    assert (found.status, found.fault) == ("stopped", None)


@pytest.mark.parametrize("again", [True, False])
async def test_an_entry_that_cannot_be_embedded_is_there_and_is_tried_again(
    ingestion, embedder, rows, again
):
    embedder.down = True
    there = registry(entry("GitHub", GITHUB, tool("a")))
    await ingestion.registry(there)
    assert (await rows.registry())["GitHub"].server_embedding is None
    embedder.down = False
    await (ingestion.registry(there) if again else ingestion.mend())
    found = (await rows.registry())["GitHub"]
    assert found.server_embedding is not None
    assert (await rows.tools("registry", found.id))["a"].details_embedding is not None
    embedder.asked()
    await ingestion.registry(there)
    assert embedder.asked() == []


async def test_vectors_of_another_form_are_not_kept(ingestion, embedder, rows):
    embedder.dimensions = 4
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    found = (await rows.workloads())["gh"]
    assert (found.status, found.server_embedding) == ("error", None)
    assert (await rows.tools("workload", found.id))["a"].details_embedding is None


async def test_another_model_makes_everything_anew(ingestion, embedder, rows):
    here = running(workload("gh", GITHUB, tool("a")))
    await ingestion.workloads(here)
    embedder.asked()
    embedder.id = "hashing-2"
    await ingestion.workloads(here)
    assert len(embedder.asked()) == 1


async def test_what_a_source_could_not_ask_stays_as_it_is(ingestion, rows):
    await ingestion.workloads(
        running(workload("a", GITHUB, tool("x")), workload("b", NOTION, tool("y")))
    )
    before = await rows.workloads()
    await ingestion.workloads(running(unclear=frozenset({"a"})))
    assert await rows.workloads() == {"a": before["a"]}


async def test_tools_that_could_not_be_asked_for_are_still_known(ingestion, rows):
    said = workload("a", GITHUB, tool("x"))
    await ingestion.workloads(running(said))
    await ingestion.workloads(running(replace(said, tools=None, status="stopped")))
    found = (await rows.workloads())["a"]
    assert found.status == "stopped"
    assert list(await rows.tools("workload", found.id)) == ["x"]


async def test_either_side_is_deleted_without_the_other(ingestion, rows, count):
    await ingestion.registry(registry(entry("GitHub", GITHUB, tool("a"))))
    await ingestion.workloads(running(workload("gh", GITHUB, tool("a"))))
    await ingestion.workloads(running())
    assert await count() == {"registry": (1, 1), "workload": (0, 0)}
    await ingestion.registry(registry())
    assert await count() == {"registry": (0, 0), "workload": (0, 0)}


async def test_an_incremental_answer_takes_away_only_what_it_names(ingestion, rows):
    await ingestion.registry(registry(entry("GitHub", GITHUB), entry("Notion", NOTION)))
    await ingestion.registry(
        registry(entry("More", container("x")), complete=False, gone=("Notion",))
    )
    assert list(await rows.registry()) == ["GitHub", "More"]


async def test_two_workloads_may_run_the_same_and_a_name_says_nothing(ingestion, rows):
    await ingestion.registry(registry(entry("inspector", NOTION), entry("b", GITHUB)))
    await ingestion.workloads(
        running(
            workload("my-inspector-tool", NOTION),
            workload("again", NOTION),
            workload("b", container("another")),
        )
    )
    found = await rows.workloads()
    assert {name: each.registry_server_name for name, each in found.items()} == {
        "again": "inspector",
        "b": None,
        "my-inspector-tool": "inspector",
    }
