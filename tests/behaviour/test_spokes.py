"""Spokes come, offer operations, leave, and come back."""

import asyncio

import pytest

from hubbub.catalog.tables import operation_registrations, operations
from hubbub.kernel.errors import (
    Aborted,
    AccessDenied,
    Conflict,
    Invalid,
    NoProvider,
    NotFound,
)
from hubbub.spokes.tables import spokes
from tests.support.hub import recorded, until
from tests.support.peer import spec

READ = spec("dev.fs", "read")
WRITE = spec("dev.fs", "write", "mutation")
COMPLETE = spec("chat", "complete", shared=True, inputSchema={"type": "object"})


async def offers(hub):
    """What is registered: by whom, in which state, under which names before and after."""
    names = {row["id"]: f"{row['namespace']}.{row['name']}" for row in await hub.rows(operations)}
    return {
        (
            row["provider_id"],
            names[row["operation_id"]],
            f"{row['pre_remap_namespace']}.{row['pre_remap_name']}",
            row["status"],
        )
        for row in await hub.rows(operation_registrations)
    }


async def away(hub, name):
    """The spoke of this name, once it is away and the catalogue knows it."""
    page = await until(
        lambda: hub.door()("spoke.list", status="disconnected", limit=500),
        lambda page: name in [spoke["name"] for spoke in page["items"]],
    )
    (found,) = [spoke for spoke in page["items"] if spoke["name"] == name]
    return found


async def asks(caller, operation, input=None, **payload):
    """A call in a task, for a spoke to answer."""
    return asyncio.create_task(caller.call(operation, input, **payload))


async def test_what_a_spoke_offers_is_known_under_its_id(hub):
    spoke = await hub.connect()
    registered = await spoke.register("laptop", READ, COMPLETE)
    id = registered["spokeId"]
    assert registered == {
        "spokeId": id,
        "epoch": 1,
        "operations": [
            {"operationId": f"dev.{id}.fs.read", "preRemapId": "dev.fs.read"},
            {"operationId": "chat.complete", "preRemapId": "chat.complete"},
        ],
    }
    assert await offers(hub) == {
        (id, f"dev.{id}.fs.read", "dev.fs.read", "active"),
        (id, "chat.complete", "chat.complete", "active"),
    }


async def test_a_namespace_of_one_word_is_followed_by_the_id(hub):
    spoke = await hub.connect()
    registered = await spoke.register("laptop", spec("dev", "ping"))
    assert registered["operations"] == [
        {"operationId": f"dev.{registered['spokeId']}.ping", "preRemapId": "dev.ping"}
    ]


async def test_a_spoke_is_called_by_its_own_name_or_the_hubs_and_hears_its_own(hub, call):
    spoke = await hub.connect()
    id = (await spoke.register("laptop", READ))["spokeId"]
    for name in ("dev.fs.read", f"dev.{id}.fs.read"):
        asking = asyncio.create_task(call(name, path="x"))
        asked = await spoke.asked()
        assert (asked["operationId"], asked["input"]) == ("dev.fs.read", {"path": "x"})
        await spoke.answer(asked, {"text": "hello"})
        assert await asking == {"text": "hello"}


async def test_a_spoke_is_told_who_asks(hub, caller_with):
    spoke = await hub.spoke("laptop", COMPLETE)
    call = await caller_with("calls:read")
    asking = asyncio.create_task(call("chat.complete"))
    asked = await spoke.asked()
    await spoke.answer(asked)
    await asking
    me = await call("account.me")
    assert asked["identity"] == {"id": me["id"], "scopes": ["calls:read"]}


async def test_an_identity_that_comes_from_outside_is_not_believed(hub):
    spoke = await hub.spoke("laptop", COMPLETE)
    caller = await hub.connect(await hub.key_with())
    forged = {"id": "root", "scopes": ["accounts:write"]}
    asking = await asks(caller, "chat.complete", identity=forged)
    asked = await spoke.asked()
    await spoke.answer(asked)
    await asking
    assert asked["identity"] == {"id": caller.hello["accountId"], "scopes": []}


async def test_access_to_what_a_spoke_offers_is_checked_by_the_hub(hub, caller_with):
    await hub.spoke("laptop", {**COMPLETE, "accessControl": {"requiredScopes": ["chat"]}})
    with pytest.raises(AccessDenied):
        await (await caller_with("calls:read"))("chat.complete")


async def test_two_spokes_of_one_account_with_one_name_for_an_operation_need_a_choice(hub, call):
    one = await hub.spoke("one", READ)
    await hub.spoke("two", READ)
    with pytest.raises(Conflict) as refused:
        await call("dev.fs.read")
    assert len(refused.value.details["choices"]) == 2
    asking = await asks(await hub.connect(), "dev.fs.read", provider="one")
    await one.answer(await one.asked(), "one")
    assert await asking == "one"


async def test_the_own_name_of_an_operation_means_a_spoke_of_ones_own(hub):
    await hub.spoke("laptop", READ)
    stranger = await hub.connect(await hub.key_with("spokes:connect"))
    with pytest.raises(NoProvider):
        await stranger.call("dev.fs.read")
    await stranger.register("laptop", READ)
    asking = await asks(stranger, "dev.fs.read")
    await stranger.answer(await stranger.asked(), "my own")
    assert await asking == "my own"


async def test_shared_operations_are_balanced(hub):
    peers = [await hub.spoke(name, COMPLETE) for name in ("one", "two")]
    assert (await hub.count(operations)) == {"operations": len(hub.house.operations) + 2}
    assert {status for *_, status in await offers(hub)} == {"active"}
    assert len(await offers(hub)) == 2
    caller = await hub.connect()
    asking = [await asks(caller, "chat.complete") for _ in range(4)]
    for peer in (*peers, *peers):
        await peer.answer(await peer.asked())
    await asyncio.gather(*asking)


async def test_a_shared_operation_under_another_contract_is_refused_while_it_is_offered(hub):
    one = await hub.spoke("one", COMPLETE)
    two = await hub.connect()
    before = await everything(hub)
    for changed in (
        {"inputSchema": {"type": "string"}},
        {"outputSchema": {"type": "string"}},
        {"type": "mutation"},
        {"accessControl": {"requiredScopes": ["chat"]}},
    ):
        with pytest.raises(Conflict) as refused:
            await two.register("two", {**COMPLETE, **changed})
        assert refused.value.details == {"operation": "chat.complete", "providers": 1}
    assert await everything(hub) == before
    await one.leave()
    await away(hub, "one")
    await two.register("two", {**COMPLETE, "type": "mutation"})
    assert (await hub.door()("operation.schema", id="chat.complete"))["type"] == "mutation"


async def test_what_is_a_spokes_own_is_not_shared_by_another(hub):
    one = await hub.connect()
    id = (await one.register("one", READ))["spokeId"]
    before = await everything(hub)
    two = await hub.connect(await hub.key_with("spokes:connect"))
    with pytest.raises(Invalid):
        await two.register("two", spec(f"dev.{id}.fs", "read", shared=True))
    assert await everything(hub) == before
    await one.leave()
    await away(hub, "one")
    with pytest.raises(Invalid):
        await two.register("two", spec(f"dev.{id}.fs", "read", "mutation", shared=True))


async def test_definitions_outlive_a_spoke_and_its_offers_do_not(hub, call):
    spoke = await hub.connect()
    id = (await spoke.register("laptop", READ, COMPLETE))["spokeId"]
    await spoke.leave()
    gone = await away(hub, "laptop")
    assert (gone["status"], gone["disconnectedAt"] is None) == ("disconnected", False)
    assert {status for *_, status in await offers(hub)} == {"inactive"}
    with pytest.raises(NoProvider) as refused:
        await call("chat.complete")
    assert refused.value.details == {"operation": "chat.complete"}
    (listed,) = (await call("operation.list", namespace="chat"))["items"]
    assert (listed["id"], listed["providers"]) == ("chat.complete", 0)
    assert (await call("operation.schema", id=f"dev.{id}.fs.read"))["type"] == "query"
    # Known by the name that its spoke has for it, and away.
    with pytest.raises(NoProvider):
        await call("dev.fs.read")


async def test_calls_in_flight_end_with_their_provider(hub):
    spoke = await hub.spoke("laptop", WRITE)
    caller = await hub.connect()
    asking = await asks(caller, "dev.fs.write")
    asked = await spoke.asked()
    await spoke.vanish()
    with pytest.raises(Aborted) as ended:
        await asking
    assert ended.value.details == {"reason": "callee_left"}
    call = await recorded(hub.door(), asked["requestId"])
    assert (call["status"], call["error"]["details"]) == ("failed", {"reason": "callee_left"})


async def test_a_spoke_that_comes_back_is_the_same_with_a_higher_epoch(hub, call):
    first = await hub.connect()
    before = await first.register("laptop", READ, COMPLETE)
    await first.leave()
    await away(hub, "laptop")
    counted = await hub.count(spokes, operations, operation_registrations)
    second = await hub.connect()
    after = await second.register("laptop", READ)
    assert after == {
        "spokeId": before["spokeId"],
        "epoch": 2,
        "operations": before["operations"][:1],
    }
    assert await hub.count(spokes, operations, operation_registrations) == counted
    id = before["spokeId"]
    assert await offers(hub) == {
        (id, f"dev.{id}.fs.read", "dev.fs.read", "active"),
        (id, "chat.complete", "chat.complete", "inactive"),
    }
    here = await call("spoke.get", id=id)
    assert (here["status"], here["disconnectedAt"]) == ("connected", None)


async def test_a_spoke_is_known_by_its_id_where_its_name_has_changed(hub, call):
    first = await hub.connect()
    id = (await first.register("laptop", READ))["spokeId"]
    await first.leave()
    await away(hub, "laptop")
    second = await hub.connect()
    assert (await second.register("desktop", READ, spokeId=id))["spokeId"] == id
    assert [spoke["name"] for spoke in (await call("spoke.list"))["items"]] == ["desktop"]


async def test_a_second_connection_of_a_spoke_fences_the_first(hub):
    first = await hub.spoke("laptop", WRITE)
    caller = await hub.connect()
    asking = await asks(caller, "dev.fs.write")
    asked = await first.asked()
    second = await hub.spoke("laptop", WRITE)
    assert await first.closed() == 4009
    with pytest.raises(Aborted) as ended:
        await asking
    assert ended.value.details == {"reason": "callee_left"}
    again = await asks(caller, "dev.fs.write")
    await second.answer(await second.asked(), "second")
    assert await again == "second"
    assert asked["requestId"] not in hub.house.router.calls
    # That its first connection has ended is no news of the spoke.
    assert {status for *_, status in await offers(hub)} == {"active"}
    (seen,) = (await hub.door()("spoke.list"))["items"]
    assert (seen["name"], seen["status"]) == ("laptop", "connected")


async def test_the_answers_of_one_who_is_not_asked_count_as_nothing(hub):
    first = await hub.spoke("one", COMPLETE)
    second = await hub.spoke("two", COMPLETE)
    caller = await hub.connect()
    asking = await asks(caller, "chat.complete", provider="two")
    asked = await second.asked()
    await first.answer(asked, "forged")
    await first.fail(asked, "FORGED")
    await caller.answer(asked, "forged by the caller")
    await first.call("account.me")  # by now the hub has read it
    await caller.call("account.me")
    await second.answer(asked, "true")
    assert await asking == "true"
    assert hub.house.router.counters.stray == 3


async def test_an_idempotent_call_goes_on_over_the_connection_that_took_over(hub):
    await hub.spoke("laptop", READ)
    caller = await hub.connect()
    asking = await asks(caller, "dev.fs.read")
    idempotent = {**READ, "idempotent": True}
    first = await hub.spoke("laptop", idempotent)
    with pytest.raises(Aborted):
        await asking
    asking = await asks(caller, "dev.fs.read")
    await first.asked()
    second = await hub.spoke("laptop", idempotent)
    await second.answer(await second.asked(), "again")
    assert await asking == "again"


async def test_somebody_elses_spoke_is_not_taken_over(hub):
    mine = await hub.connect()
    id = (await mine.register("laptop", READ))["spokeId"]
    other = await hub.connect(await hub.key_with("spokes:connect"))
    with pytest.raises(NotFound) as refused:
        await other.register("laptop", READ, spokeId=id)
    assert refused.value.details == {"spoke": id}
    # The same name is another spoke, where the account is another.
    assert (await other.register("laptop", READ))["spokeId"] != id
    assert mine.open
    assert await mine.call("account.me")


async def test_what_cannot_be_offered_is_refused_and_nothing_of_it_is_kept(hub):
    before = await everything(hub)
    spoke = await hub.connect()
    for field, *offered in (
        ("operations[0].namespace", spec("account", "steal")),
        ("operations[1].namespace", READ, spec("hub.x", "register")),
        ("operations[0].namespace", spec("system", "removed", shared=True)),
        ("operations[2].name", READ, WRITE, READ),
        ("operations[0].inputSchema", {**READ, "inputSchema": {"type": "nothing"}}),
        ("operations[0].outputSchema", {**READ, "outputSchema": {"type": 5}}),
        ("operations[0].inputSchema", {**READ, "inputSchema": {"$ref": "https://example.org/x"}}),
        ("operations[0]", spec("dev fs", "read")),
        ("operations[0]", spec("dev\n", "read")),
        ("operations[0]", spec("dev", "read\n")),
        ("operations[0]", spec("dev", "read/write")),
        ("operations[0]", spec("dev", "x" * 200)),
        ("operations[0].type", spec("dev", "read", "poem")),
        ("operations", *(spec(f"dev.n{n}", "read") for n in range(10_001))),
    ):
        with pytest.raises(Invalid) as refused:
            await spoke.register("laptop", *offered)
        assert [error["field"] for error in refused.value.details["errors"]] == [field]
    assert await everything(hub) == before
    assert (await hub.door()("spoke.list"))["items"] == []


async def test_a_spoke_of_a_project_that_does_not_exist_is_refused(hub):
    spoke = await hub.connect()
    with pytest.raises(NotFound) as refused:
        await spoke.register("laptop", READ, projectId="none")
    assert refused.value.details == {"project": "none"}


@pytest.mark.parametrize("name", ["", "x" * 129])
async def test_a_spoke_has_a_name_of_a_usual_length(hub, name):
    spoke = await hub.connect()
    with pytest.raises(Invalid) as refused:
        await spoke.register(name, READ)
    assert [error["field"] for error in refused.value.details["errors"]] == ["name"]


@pytest.mark.parametrize("concurrency", [0, -1])
async def test_a_spoke_takes_at_least_one_call(hub, concurrency):
    spoke = await hub.connect()
    with pytest.raises(Invalid) as refused:
        await spoke.register("laptop", READ, concurrencyMax=concurrency)
    assert [error["field"] for error in refused.value.details["errors"]] == ["concurrencyMax"]


async def test_to_register_needs_a_scope_and_a_connection(hub):
    peer = await hub.connect(await hub.key_with("calls:read"))
    with pytest.raises(AccessDenied):
        await peer.register("laptop", READ)
    with pytest.raises(Conflict):
        await hub.door("http")("hub.register", name="x", spokeType="compute", operations=[])


async def test_a_connection_may_tell_anew_what_it_offers(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = await asks(await hub.connect(), "dev.fs.read")
    asked = await spoke.asked()
    registered = await spoke.register("laptop", WRITE)
    assert registered["epoch"] == 2
    await spoke.answer(asked, "old")
    assert await asking == "old"
    with pytest.raises(NoProvider):
        await call("dev.fs.read")
    asking = asyncio.create_task(call("dev.fs.write"))
    await spoke.answer(await spoke.asked(), "new")
    assert await asking == "new"


async def test_a_connection_that_becomes_another_spoke_leaves_as_the_first(hub):
    spoke = await hub.spoke("one", READ)
    await spoke.register("two", READ)
    assert (await away(hub, "one"))["name"] == "one"
    assert len(hub.house.presence) == 1
    await spoke.leave()
    await away(hub, "two")
    assert len(hub.house.presence) == 0
    assert {status for *_, status in await offers(hub)} == {"inactive"}


async def test_a_spoke_that_drains_finishes_and_gets_no_more(hub, call):
    spoke = await hub.spoke("laptop", READ)
    asking = await asks(await hub.connect(), "dev.fs.read")
    asked = await spoke.asked()
    await spoke.call("hub.drain")
    with pytest.raises(NoProvider):
        await call("dev.fs.read")
    await spoke.answer(asked, "last")
    assert await asking == "last"
    with pytest.raises(Conflict):
        await (await hub.connect()).call("hub.drain")


async def test_a_spoke_that_leaves_while_it_registers_is_away(hub):
    spoke = await hub.connect()
    told = {"name": "laptop", "spokeType": "dev-env", "operations": [READ]}
    await spoke.begin("hub.register", told)
    await spoke.call("account.me")  # by now the hub has begun with the one before
    await spoke.vanish()
    await away(hub, "laptop")
    assert {status for *_, status in await offers(hub)} == {"inactive"}
    assert len(hub.house.presence) == 0


async def test_a_spoke_is_removed_with_its_registrations_once_it_is_away(hub, call):
    spoke = await hub.connect()
    id = (await spoke.register("laptop", READ))["spokeId"]
    defined = await hub.count(operations)
    with pytest.raises(Conflict) as refused:
        await call("spoke.remove", id=id)
    assert refused.value.details == {"spoke": id}
    await spoke.leave()
    await away(hub, "laptop")
    await call("spoke.remove", id=id)
    assert await hub.count(spokes, operation_registrations) == {
        "spokes": 0,
        "operation_registrations": 0,
    }
    assert await hub.count(operations) == defined
    with pytest.raises(NotFound):
        await call("spoke.get", id=id)


async def test_spokes_are_seen_by_their_owner_and_by_those_who_may(hub, caller_with):
    id = (await (await hub.connect()).register("laptop", READ))["spokeId"]
    stranger = await caller_with("calls:read")
    assert (await stranger("spoke.list"))["items"] == []
    with pytest.raises(NotFound) as refused:
        await stranger("spoke.get", id=id)
    assert refused.value.details == {"spoke": id}
    reader = await caller_with("spokes:read")
    assert [spoke["id"] for spoke in (await reader("spoke.list"))["items"]] == [id]
    assert (await reader("spoke.get", id=id))["name"] == "laptop"
    with pytest.raises(AccessDenied):
        await reader("spoke.remove", id=id)


async def test_a_spoke_tells_about_its_machine(hub, call):
    spoke = await hub.connect()
    host = {"os": "linux", "arch": "x86_64", "pythonVersion": "3.12", "memory": 5, "cpu": 2}
    id = (await spoke.register("laptop", hostInfo=host))["spokeId"]
    seen = await call("spoke.get", id=id)
    assert (seen["hostInfo"], seen["spokeType"], seen["accountId"]) == (
        host,
        "dev-env",
        spoke.hello["accountId"],
    )


async def test_a_spoke_that_is_here_is_heard_of_and_one_that_left_is_not(hub, call):
    here = (await (await hub.connect()).register("here", READ))["spokeId"]
    leaving = await hub.spoke("gone", WRITE)
    await leaving.leave()
    gone = await away(hub, "gone")
    before = (await call("spoke.get", id=here))["lastHeartbeat"]
    await hub.house.presence.beat()
    assert (await call("spoke.get", id=here))["lastHeartbeat"] > before
    assert await call("spoke.get", id=gone["id"]) == gone


async def test_after_a_restart_no_spoke_is_here_until_it_comes_back(serve):
    async with serve() as hub:
        id = (await (await hub.connect()).register("laptop", READ))["spokeId"]
    async with serve() as hub:
        (seen,) = (await hub.door()("spoke.list"))["items"]
        assert (seen["id"], seen["status"]) == (id, "disconnected")
        assert {status for *_, status in await offers(hub)} == {"inactive"}
        registered = await (await hub.connect()).register("laptop", READ)
        assert (registered["spokeId"], registered["epoch"]) == (id, 2)


async def everything(hub):
    return await hub.count(spokes, operations, operation_registrations)
