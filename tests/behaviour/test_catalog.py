"""Whoever looks into the catalogue sees what they may use, and nothing else."""

import pytest

from hubbub.calls.tables import call_graph_nodes
from hubbub.catalog import store
from hubbub.catalog.tables import operation_registrations, operations
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import AccessDenied, Conflict, NoProvider, OperationNotFound
from tests.support.hub import until
from tests.support.peer import spec

OPEN = ("account.me", "apiKey.create", "call.get", "operation.list", "spoke.get")


async def ids(call, namespace=None):
    page = await call("operation.list", namespace=namespace, limit=500)
    return [item["id"] for item in page["items"]]


async def test_a_list_holds_what_the_caller_may_use(call, caller_with):
    reader = await caller_with("accounts:read")
    assert await ids(reader, "account") == ["account.get", "account.list", "account.me"]
    assert await ids(call, "account") == [
        "account.create",
        "account.get",
        "account.list",
        "account.me",
        "account.setStatus",
    ]


async def test_a_list_skips_what_may_not_be_used_without_leaving_gaps(caller_with):
    nobody = await caller_with()
    seen = []
    cursor = None
    while cursor or not seen:
        page = await nobody("operation.list", limit=2, cursor=cursor)
        assert len(page["items"]) == 2 or page["nextCursor"] is None
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == await ids(nobody)
    assert set(OPEN) < set(seen)
    assert "account.create" not in seen


async def test_a_search_finds_what_the_caller_may_use(call, caller_with):
    nobody = await caller_with()
    assert (await call("operation.search", text="make an account"))["items"][0][
        "id"
    ] == "account.create"
    found = await nobody("operation.search", text="make an account", limit=50)
    assert "account.create" not in [hit["id"] for hit in found["items"]]


async def test_a_search_finds_what_came_after_it_was_first_asked(hub, call):
    assert (await call("operation.search", text="violin"))["items"] == []
    spoke = await hub.spoke("laptop", spec("dev.toys", "turn", description="Tune a violin"))
    (found,) = (await call("operation.search", text="violin"))["items"]
    assert (found["type"], found["matched"]) == ("query", ["violin"])
    await spoke.register("laptop", spec("dev.toys", "turn", description="Turn a page"))
    assert (await call("operation.search", text="violin"))["items"] == []


async def test_a_search_finds_by_meaning_and_says_by_what(hub, call):
    await hub.spoke(
        "laptop", spec("dev.toys", "erase", description="Delete a picture that nobody needs")
    )
    (found,) = (await call("operation.search", text="wipe photographs", limit=1))["items"]
    assert (found["id"].rpartition(".")[2], found["matched"]) == ("erase", [])
    assert 0.3 < found["meaning"] <= 1


async def test_a_search_that_finds_nothing_says_why(call):
    page = await call("operation.search", text="zzyzx")
    assert (page["items"], page["nextCursor"]) == ([], None)
    assert "nothing that you may call" in page["note"]
    assert (await call("operation.search", text="make an account"))["note"] is None


async def test_keywords_are_looked_for_besides(call):
    by_text = await call("operation.search", text="zzyzx", keywords="account create", limit=1)
    assert [hit["id"] for hit in by_text["items"]] == ["account.create"]
    assert by_text["items"][0]["matched"] == ["account", "create"]


async def test_as_many_are_found_without_keywords_as_with(call):
    counts = [
        len((await call("operation.search", text="make a key", keywords=words, limit=8))["items"])
        for words in ("", "account create name")
    ]
    assert counts == [8, 8]


async def test_the_hubs_own_model_has_read_what_was_searched(call):
    await call("operation.search", text="anything")
    (model,) = (await call("operation.searchState"))["models"]
    assert model["serving"] is True
    assert model["embedded"] == model["total"] > 0
    assert model["problem"] is None


async def test_a_schema_is_shown_to_those_who_may_use_it(call, caller_with):
    nobody = await caller_with()
    shown = await call("operation.schema", id="account.create")
    assert shown["inputSchema"]["required"] == ["email"]
    assert shown["accessControl"] == {"requiredScopes": ["accounts:write"]}
    for id in ("account.create", "no.such", "system.removed", "none"):
        with pytest.raises(OperationNotFound) as refused:
            await nobody("operation.schema", id=id)
        assert refused.value.details == {"operation": id}


async def test_a_graph_shows_what_the_caller_may_use(call, caller_with):
    nobody = await caller_with()
    graph = await nobody("operation.graph", namespace="account")
    assert graph["nodes"] == ["account.me"]
    graph = await call("operation.graph", namespace="account", compatibleOnly=False)
    assert "account.create" in graph["nodes"]


async def test_a_graph_tells_whose_output_is_whose_input(hub, call):
    page = {"type": "object", "properties": {"html": {"type": "string"}}, "required": ["html"]}
    number = {"type": "object", "properties": {"html": {"type": "integer"}}, "required": ["html"]}
    await hub.spoke(
        "laptop",
        spec("web", "fetch", shared=True, outputSchema=page),
        spec("web", "read", shared=True, inputSchema=page),
        spec("web", "count", shared=True, inputSchema=number),
    )
    graph = await call("operation.graph", namespace="web", compatibleOnly=False)
    assert sorted(graph["edges"], key=lambda edge: edge["target"]) == [
        {
            "source": "web.fetch",
            "target": "web.count",
            "compatible": False,
            "mismatches": ["html: string where integer is asked for"],
        },
        {"source": "web.fetch", "target": "web.read", "compatible": True, "mismatches": []},
    ]
    graph = await call("operation.graph", namespace="web")
    assert [edge["target"] for edge in graph["edges"]] == ["web.read"]


async def test_what_is_offered_now_is_not_removed(hub, call):
    await hub.spoke("laptop", spec("chat", "complete", shared=True))
    for id in ("account.me", "chat.complete"):
        with pytest.raises(Conflict) as refused:
            await call("operation.remove", id=id)
        assert refused.value.details == {"operation": id}


async def test_what_is_registered_is_not_removed_before_it_is_offered(hub, call):
    await left_behind(hub, "chat.complete")

    async def registered(tx):
        stored = await store.get(tx, "chat.complete")
        offer = store.Offer(row=stored.row, namespace="passer", name="by")
        await store.activate(tx, "spoke", "passer-by", [offer], utc_now())

    await hub.house.database.write(registered)
    with pytest.raises(Conflict):
        await call("operation.remove", id="chat.complete")


async def test_what_nobody_knows_is_not_removed(call):
    for id in ("no.such", "system.removed"):
        with pytest.raises((OperationNotFound, Conflict)):
            await call("operation.remove", id=id)


async def test_a_definition_is_removed_with_its_registrations(hub, call):
    before = await hub.count(operations, operation_registrations)
    await left_behind(hub, "chat.complete")
    assert await call("operation.remove", id="chat.complete") == {"reassigned": 0}
    assert await hub.count(operations, operation_registrations) == before
    with pytest.raises(OperationNotFound):
        await call("chat.complete")
    found = await call("operation.search", text="complete")
    assert "chat.complete" not in [hit["id"] for hit in found["items"]]


async def test_a_definition_stays_while_records_refer_to_it(hub, call):
    await left_behind(hub, "chat.complete", calls=2)
    with pytest.raises(Conflict) as refused:
        await call("operation.remove", id="chat.complete")
    assert refused.value.details == {"operation": "chat.complete", "records": 2}
    with pytest.raises(NoProvider):
        await call("chat.complete")


async def test_records_outlive_the_definition_where_that_is_asked_for(hub, call):
    await left_behind(hub, "chat.complete", calls=2)
    nodes = [row["id"] for row in await hub.rows(call_graph_nodes)]
    assert await call("operation.remove", id="chat.complete", reassign=True) == {"reassigned": 2}
    page = await call("call.list", operation="system.removed")
    assert [(each["output"], each["status"]) for each in page["items"]] == [
        (1, "completed"),
        (0, "completed"),
    ]
    assert set(nodes) <= {row["id"] for row in await hub.rows(call_graph_nodes)}


async def test_a_definition_is_removed_by_those_who_may(hub, caller_with):
    await left_behind(hub, "chat.complete")
    with pytest.raises(AccessDenied):
        await (await caller_with("calls:write"))("operation.remove", id="chat.complete")


async def left_behind(hub, id, calls=0):
    """A definition that nobody offers any more, and so many calls of it."""
    namespace, _, name = id.rpartition(".")
    spoke = await hub.spoke("passer-by", spec(namespace, name, shared=True))
    caller = await hub.connect()
    for n in range(calls):
        asked = await caller.begin(id)
        await spoke.answer(await spoke.asked(), n)
        await caller.heard(asked)
    await spoke.leave()
    await until(lambda: hub.door()("spoke.list", status="disconnected"), lambda page: page["items"])
    await hub.written()
