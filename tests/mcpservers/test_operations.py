"""What callers may ask of MCP servers, carried out as the hub carries it out."""

from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict, Invalid, NotFound
from hubbub.mcpservers.finder import Finder
from hubbub.mcpservers.operations import RegistryOperations, WorkloadOperations
from hubbub.mcpservers.polling import Poller
from hubbub.operations.context import Caller
from hubbub.operations.execution import Executor, Order
from hubbub.operations.operation import operations_of
from tests.support.hub import in_one_task

from .said import container, entry, registry, remote, running, tool, workload
from .test_polling import Registry

pytestmark = pytest.mark.slow

GITHUB = container("ghcr.io/github/server:1.0")
NOTION = remote("https://mcp.notion.com/mcp")


@pytest.fixture
async def poller(ingestion):
    @asynccontextmanager
    async def polling():
        async with anyio.create_task_group() as tasks:
            yield Poller(ingestion, utc_now, tasks)
            tasks.cancel_scope.cancel()

    async with in_one_task(polling()) as poller:
        yield poller


@pytest.fixture
def call(database, bus, ingestion, poller):
    finder = Finder(database, bus, by_meaning=False)
    domains = (
        RegistryOperations(ingestion, poller, finder),
        WorkloadOperations(ingestion, poller, finder),
    )
    operations = {each.spec.id: each for domain in domains for each in operations_of(domain)}
    executor = Executor(database, utc_now)

    async def calling(operation, /, **input):
        order = Order(
            operation=operations[operation],
            input=msgspec.json.encode(input),
            caller=Caller(),
            call_id="call",
            nested=None,
            progress=lambda *told: None,
        )
        async for answer in executor.answers(order):
            return msgspec.json.decode(answer)["data"]

    return calling


async def test_servers_are_listed_page_by_page(call, ingestion):
    await ingestion.registry(
        registry(
            entry("A", GITHUB, group="mine"),
            entry("B", NOTION),
            entry("C", container("c"), group="mine"),
        )
    )
    first = await call("registry.list", limit=2)
    second = await call("registry.list", limit=2, cursor=first["nextCursor"])
    assert [each["name"] for page in (first, second) for each in page["items"]] == ["A", "B", "C"]
    assert second["nextCursor"] is None
    for asked, names in (
        ({"group": "mine"}, ["A", "C"]),
        ({"remote": True}, ["B"]),
        ({"source": "hand"}, []),
    ):
        assert [each["name"] for each in (await call("registry.list", **asked))["items"]] == names


async def test_a_server_is_shown_with_its_tools_and_what_is_linked_to_it(call, ingestion):
    definition = {"title": "Cat", "packages": []}
    await ingestion.registry(registry(entry("A", GITHUB, tool("x"), definition=definition)))
    await ingestion.workloads(running(workload("w", GITHUB)))
    (listed,) = (await call("registry.list"))["items"]
    found = await call("registry.get", id=listed["id"])
    assert (found["definition"], found["tools"], found["workloads"]) == (
        definition,
        [{"name": "x", "description": "Does it."}],
        ["w"],
    )
    with pytest.raises(NotFound):
        await call("registry.get", id="none")


async def test_a_server_is_found_by_its_tools_within_groups(call, ingestion):
    assert (await call("registry.search", text="x"))["note"] == "there is no source of servers"
    await ingestion.registry(
        registry(
            entry("A", GITHUB, tool("open_issue"), group="mine"),
            entry("B", NOTION, tool("open_issue")),
        )
    )
    found = await call("registry.search", text="open an issue", groups=["mine"])
    assert [(each["server"]["name"], each["tool"]) for each in found["items"]] == [
        ("A", "open_issue")
    ]
    assert found["note"] is None
    assert (await call("registry.search", text="zebra"))["note"] == "no server fits"


async def test_a_search_over_nothing_says_why_there_is_nothing(call, poller):
    source = Registry("far")
    source.error = NotFound("it is gone")
    poller.add_registry(source, 60)
    await call("registry.refresh", source="far")
    found = await call("registry.search", text="x")
    assert found == {"items": [], "note": "no servers are known: far: it is gone"}


async def test_servers_are_added_by_hand_and_no_poll_takes_them_away(call, ingestion):
    added = await call("registry.add", name="Mine", package="npm:mine", tools=[{"name": "x"}])
    await call("registry.add", name="Mine", url="https://mine/mcp")
    await ingestion.registry(registry(entry("Other", GITHUB)))
    await ingestion.registry(registry())
    listed = (await call("registry.list"))["items"]
    assert sorted((each["name"], each["package"] or each["url"]) for each in listed) == [
        ("Mine", "https://mine/mcp"),
        ("Mine", "npm:mine"),
    ]
    with pytest.raises(Conflict) as refused:
        await call("registry.add", name="Again", package="npm:mine")
    assert refused.value.details["servers"] == ["Mine", "Again"]
    for wrong in ({}, {"url": "https://a", "package": "b"}):
        with pytest.raises(Invalid):
            await call("registry.add", name="Wrong", **wrong)
    assert (await call("registry.remove", id=added["id"]))["removed"] == 1
    assert [each["url"] for each in (await call("registry.list"))["items"]] == ["https://mine/mcp"]


async def test_what_a_source_says_is_not_removed_by_hand(call, ingestion):
    await ingestion.registry(registry(entry("A", GITHUB)))
    (listed,) = (await call("registry.list"))["items"]
    with pytest.raises(Conflict):
        await call("registry.remove", id=listed["id"])


async def test_workloads_are_listed_with_what_they_inherit(call, ingestion):
    await ingestion.registry(registry(entry("A", GITHUB)))
    await ingestion.workloads(
        running(
            workload("one", GITHUB, group="mine"),
            workload("two", NOTION, status="stopped"),
        )
    )
    listed = (await call("workload.list"))["items"]
    assert [
        (each["workloadName"], each["registryServerName"], each["description"]) for each in listed
    ] == [
        ("one", "A", "A as the registry says"),
        ("two", None, "two, a server whose tools are not known."),
    ]
    for asked, names in (
        ({"group": "mine"}, ["one"]),
        ({"status": "stopped"}, ["two"]),
        ({"linked": True}, ["one"]),
        ({"linked": False}, ["two"]),
        ({"source": "nobody"}, []),
    ):
        found = await call("workload.list", **asked)
        assert [each["workloadName"] for each in found["items"]] == names
    first = await call("workload.list", limit=1)
    second = await call("workload.list", limit=1, cursor=first["nextCursor"])
    assert [each["workloadName"] for each in second["items"]] == ["two"]
    assert (await call("workload.get", id="one"))["id"] == listed[0]["id"]
    assert (await call("workload.status"))["statuses"] == {"running": 1, "stopped": 1}


async def test_tools_of_running_workloads_are_found_page_by_page(call, ingestion):
    await ingestion.workloads(
        running(
            workload("one", GITHUB, tool("merge_a"), tool("merge_b"), group="mine"),
            workload("two", NOTION, tool("merge_c")),
            workload("off", container("x"), tool("merge_d"), status="stopped"),
        )
    )
    first = await call("workload.search", text="merge", limit=2)
    second = await call("workload.search", text="merge", limit=2, cursor=first["nextCursor"])
    found = [each["tool"] for page in (first, second) for each in page["items"]]
    assert sorted(found) == ["merge_a", "merge_b", "merge_c"]
    mine = await call("workload.search", text="merge", groups=["mine"])
    assert sorted(each["tool"] for each in mine["items"]) == ["merge_a", "merge_b"]


async def test_links_are_judged_again_when_somebody_asks(call, ingestion):
    await ingestion.workloads(running(workload("one", GITHUB), workload("two", NOTION)))
    await ingestion.registry(registry(entry("A", GITHUB), entry("B", NOTION)))
    assert (await call("workload.rematch", id="one"))["changed"] == 1
    assert (await call("workload.get", id="two"))["registryServerName"] is None
    assert (await call("workload.rematch"))["changed"] == 1
    assert (await call("workload.get", id="two"))["registryServerName"] == "B"


async def test_how_it_goes_with_sources_is_told(call, poller):
    source = Registry("file", entry("A", GITHUB), entry("B", NOTION))
    poller.add_registry(source, 60)
    await call("registry.refresh", source="file")
    (state,) = (await call("registry.status"))["sources"]
    assert (state["name"], state["error"], state["everyS"]) == ("file", None, 60)
    source.error = NotFound("it is gone")
    assert (await call("registry.refresh", source="file"))["error"] == "it is gone"
    with pytest.raises(NotFound):
        await call("workload.refresh", source="none")
