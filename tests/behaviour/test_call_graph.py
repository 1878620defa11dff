"""What is remembered of calls, and who may look at it."""

import asyncio
import json
from contextlib import aclosing

import pytest

from hubbub.calls.tables import call_graph_edges
from hubbub.kernel.errors import Conflict, DomainError, Invalid, NotFound
from tests.support.hub import last, recorded, until
from tests.support.peer import spec

READ = spec("dev.fs", "read")
COMPLETE = spec("chat", "complete", shared=True)


async def asks(caller, operation, input=None, **payload):
    """A call in a task, for a spoke to answer."""
    return asyncio.create_task(caller.call(operation, input, **payload))


async def test_a_call_is_recorded_as_it_was(hub, call):
    with pytest.raises(NotFound):
        await call("account.get", id="nobody")
    me = (await call("account.me"))["id"]
    seen = await last(hub.door(), "account.get")
    assert seen == {
        "id": seen["id"],
        "operation": "account.get",
        "status": "failed",
        "parentId": None,
        "accountId": me,
        "provider": "hub",
        "input": {"id": "nobody"},
        "output": None,
        "error": {
            "code": "NOT_FOUND",
            "message": "no account nobody",
            "details": {"account": "nobody"},
        },
        "createdAt": seen["createdAt"],
        "startedAt": seen["startedAt"],
        "completedAt": seen["completedAt"],
        "durationMs": seen["durationMs"],
    }
    assert seen["createdAt"] <= seen["startedAt"] <= seen["completedAt"]
    done = await last(hub.door(), "account.me")
    assert (done["status"], done["input"], done["output"]["id"], done["error"]) == (
        "completed",
        {},
        me,
        None,
    )


async def test_a_call_can_be_seen_while_it_runs(hub, call):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    asking = await asks(caller, "dev.fs.read", {"path": "x"})
    asked = await spoke.asked()
    running = await recorded(call, asked["requestId"], "running")
    assert (running["input"], running["output"], running["completedAt"]) == (
        {"path": "x"},
        None,
        None,
    )
    await spoke.answer(asked, "text")
    await asking
    done = await recorded(call, asked["requestId"])
    assert done == {
        **running,
        "status": "completed",
        "output": "text",
        "completedAt": done["completedAt"],
        "durationMs": done["durationMs"],
    }


async def test_a_call_that_was_refused_is_recorded_too(hub, caller_with):
    call = await caller_with("calls:read")
    for operation, input, code in (
        ("account.create", {"email": "ann@example.org"}, "ACCESS_DENIED"),
        ("account.me", {"what": 1}, "VALIDATION_ERROR"),
    ):
        with pytest.raises(Exception):  # noqa: B017  # which, is the business of others
            await call(operation, **input)
        seen = await last(hub.door(), operation, "failed")
        assert (seen["error"]["code"], seen["provider"], seen["startedAt"]) == (code, None, None)


async def test_what_a_call_led_to_is_below_it(hub):
    top = await hub.spoke("top", spec("dev.top", "run"))
    below = await hub.spoke("below", READ)
    caller = await hub.connect()
    asking = await asks(caller, "dev.top.run")
    parent = await top.asked()
    reading = [
        await asks(top, "dev.fs.read", {"n": n}, parentRequestId=parent["requestId"])
        for n in range(2)
    ]
    children = [await below.asked() for _ in reading]
    for child in children:
        await below.answer(child, child["input"]["n"])
    await asyncio.gather(*reading)
    await top.answer(parent, "done")
    await asking
    await hub.written()
    call = hub.door()
    tree = await call("call.tree", id=parent["requestId"])
    assert (tree["call"]["id"], [each["call"]["id"] for each in tree["children"]]) == (
        parent["requestId"],
        [child["requestId"] for child in children],
    )
    assert [each["children"] for each in tree["children"]] == [[], []]
    lineage = await call("call.lineage", id=children[0]["requestId"])
    assert [each["id"] for each in lineage] == [parent["requestId"], children[0]["requestId"]]
    edges = {
        (edge["source_id"], edge["target_id"], edge["edge_type"])
        for edge in await hub.rows(call_graph_edges)
    }
    assert edges == {(parent["requestId"], child["requestId"], "triggered") for child in children}


async def test_an_input_or_an_output_that_is_large_leaves_its_size(serve):
    async with serve(record_bytes_max=100) as hub:
        spoke = await hub.spoke("laptop", READ)
        for text, kept in (("x" * 80, "x" * 80), ("x" * 99, {"$omitted": {"bytes": 101}})):
            asking = await asks(await hub.connect(), "dev.fs.read", {"path": text})
            asked = await spoke.asked()
            assert asked["input"] == {"path": text}
            await spoke.answer(asked, text)
            assert await asking == text
            seen = await recorded(hub.door(), asked["requestId"])
            size = len(text) + len('{"path": ""}')
            assert seen["input"] == (
                {"path": text} if size <= 100 else {"$omitted": {"bytes": size}}
            )
            assert seen["output"] == kept


async def test_an_error_that_is_large_leaves_its_size(serve):
    async with serve(record_bytes_max=100) as hub:
        spoke = await hub.spoke("laptop", READ)
        for text, kept in (("x" * 80, {"why": "x" * 80}), ("x" * 99, {"$omitted": {"bytes": 109}})):
            asking = await asks(await hub.connect(), "dev.fs.read")
            asked = await spoke.asked()
            await spoke.fail(asked, "ODD", text * 100, why=text)
            with pytest.raises(DomainError) as failed:
                await asking
            assert (failed.value.message, failed.value.details) == (text * 100, {"why": text})
            error = (await recorded(hub.door(), asked["requestId"]))["error"]
            assert (error["code"], error["details"]) == ("ODD", kept)
            assert error["message"] == (text * 100)[:1000]


async def test_what_an_operation_keeps_to_itself_is_not_recorded(hub, call):
    made = await call("apiKey.create", name="laptop")
    assert made["secret"]
    seen = await last(hub.door(), "apiKey.create")
    assert (seen["status"], seen["input"], seen["output"]) == ("completed", None, None)
    with pytest.raises(NotFound):
        await call("apiKey.rotate", id="none")
    seen = await last(hub.door(), "apiKey.rotate")
    assert (seen["error"]["code"], seen["error"]["details"]) == ("NOT_FOUND", {})


@pytest.mark.slow
async def test_whatever_a_spoke_answers_the_graph_goes_on(hub):
    spoke = await hub.spoke("laptop", READ)
    caller = await hub.connect()
    for raw in (
        r'"a\u0000b"',
        r'{"\u0000": 1}',
        r'"\udbff\udfff\ud83d\ude00"',
        "1e999",
        "-1e999",
        "1" * 5000,
        "0." + "3" * 400,
        "null",
        '"text"',
    ):
        asking = await asks(caller, "dev.fs.read")
        asked = await spoke.asked()
        meta = {"source": "local", "operationId": "x", "timestamp": 1}
        payload = {"requestId": asked["requestId"], "output": {"data": "DATA", "meta": meta}}
        frame = json.dumps({"type": "call.responded", "id": "", "payload": payload})
        await spoke.say(frame.replace('"DATA"', raw))
        answer = await asking
        seen = await recorded(hub.door(), asked["requestId"])
        assert seen["status"] == "completed"
        # PostgreSQL keeps no NUL, and writes numbers out.
        assert seen["output"] == answer or "u0000" in raw or "e999" in raw
    page = await hub.door()("call.list", limit=500)
    assert asked["requestId"] in [call["id"] for call in page["items"]]


@pytest.mark.slow
async def test_whatever_a_spoke_fails_with_is_told_and_recorded(hub):
    spoke = await hub.spoke("laptop", READ)
    for details in ('{"n": 1e999}', '{"n": %s}' % ("1" * 5000), r'{"n": "\u0000"}', "[1]", "5"):
        asking = await asks(await hub.connect(), "dev.fs.read")
        asked = await spoke.asked()
        payload = {"requestId": asked["requestId"], "code": "ODD", "message": "", "details": "IT"}
        frame = json.dumps({"type": "call.error", "id": "", "payload": payload})
        await spoke.say(frame.replace('"IT"', details))
        with pytest.raises(DomainError) as failed:
            await asking
        assert failed.value.name == "ODD"
        assert (await recorded(hub.door(), asked["requestId"]))["status"] == "failed"
    assert (await hub.door()("call.list"))["items"]


async def test_calls_are_listed_newest_first_by_what_is_asked_for(hub, call, caller_with):
    other = await caller_with("calls:read")
    theirs = (await other("account.me"))["id"]
    await call("account.list")
    with pytest.raises(NotFound):
        await call("account.get", id="nobody")
    await hub.written()

    async def listed(**filters):
        page = await hub.door()("call.list", limit=500, **filters)
        return [(item["operation"], item["status"]) for item in page["items"]]

    assert await listed(operation="account.get") == [("account.get", "failed")]
    assert await listed(accountId=theirs, operation="account.me") == [("account.me", "completed")]
    assert ("account.get", "failed") in await listed(status="failed")
    assert {status for _, status in await listed(status="failed")} == {"failed"}
    assert await listed(operation="no.such") == []
    middle = (await last(hub.door(), "account.list"))["createdAt"]
    early = {operation for operation, _ in await listed(until=middle)}
    late = {operation for operation, _ in await listed(since=middle)}
    assert ("account.get" in late, "account.get" in early) == (True, False)
    assert ("account.list" in late, "account.list" in early) == (True, False)
    page = await hub.door()("call.list", limit=500)
    times = [item["createdAt"] for item in page["items"]]
    assert times == sorted(times, reverse=True)
    with pytest.raises(Invalid):
        await call("call.list", since="2020-01-01T00:00:00")
    with pytest.raises(Invalid):
        await call("call.list", status="done")


async def test_nobody_sees_what_is_not_theirs(hub, call, caller_with):
    await call("account.list")
    await hub.written()
    id = (await last(hub.door(), "account.list"))["id"]
    owner = (await call("account.me"))["id"]
    stranger = await caller_with("accounts:read", email="ann@example.org")
    mine = (await stranger("account.me"))["id"]
    await hub.written()
    for operation in ("call.get", "call.tree", "call.lineage"):
        with pytest.raises(NotFound) as refused:
            await stranger(operation, id=id)
        assert refused.value.details == {"call": id}
    for filters in ({}, {"accountId": owner}):
        page = await stranger("call.list", limit=500, **filters)
        assert {item["accountId"] for item in page["items"]} == {mine}
    stats = (await stranger("call.stats", operation="account.list"))["items"]
    assert stats == []


async def test_what_others_said_on_ones_behalf_is_seen_and_not_read(hub):
    below = await hub.spoke("below", spec("deep", "read", shared=True))
    helper_key = await hub.key_with("spokes:connect", email="helper@example.org")
    helper = await hub.spoke("helper", spec("shallow", "run", shared=True), key=helper_key)
    caller = await hub.connect(await hub.key_with(email="ann@example.org"))
    asking = await asks(caller, "shallow.run")
    parent = await helper.asked()
    reading = await asks(helper, "deep.read", {"secret": 1}, parentRequestId=parent["requestId"])
    child = await below.asked()
    await below.answer(child, "secret")
    await reading
    await helper.answer(parent)
    await asking
    await hub.written()
    tree = await caller.call("call.tree", {"id": parent["requestId"]})
    (shown,) = tree["children"]
    assert (shown["call"]["operation"], shown["call"]["input"], shown["call"]["output"]) == (
        "deep.read",
        None,
        None,
    )
    with pytest.raises(NotFound):
        await caller.call("call.get", {"id": child["requestId"]})
    lineage = await helper.call("call.lineage", {"id": child["requestId"]})
    assert [each["id"] for each in lineage] == [child["requestId"]]


async def test_how_operations_have_done_is_counted(hub, call):
    for n in range(4):
        if n:
            await call("account.create", email=f"{n}@example.org")
        else:
            with pytest.raises(Conflict):
                await call("account.create", email="owner@localhost")
    await hub.written()
    (stats,) = (await call("call.stats", operation="account.create"))["items"]
    assert (stats["operation"], stats["count"], stats["errorRate"]) == ("account.create", 4, 0.25)
    assert 0 < stats["p50Ms"] <= stats["p95Ms"] <= stats["p99Ms"]
    assert (await call("call.stats", operation="no.such"))["items"] == []


async def test_whoever_follows_sees_calls_come_and_go(hub):
    watching = await hub.connect()
    async with aclosing(watching.answers("call.follow")) as events:
        following = asyncio.create_task(anext(events))
        # The first event is that the following itself began, or what came right after.
        await until(lambda: hub.door()("call.list", status="running"), lambda page: page["items"])
        await following
        with pytest.raises(NotFound):
            await hub.door()("account.get", id="nobody")
        seen = []
        async for event in events:
            if event["operation"] == "account.get":
                seen.append(event)
            if len(seen) == 2:
                break
    began, ended = seen
    assert (began["event"], began["durationMs"], began["error"]) == ("began", None, None)
    assert (ended["event"], ended["status"], ended["error"], ended["missed"]) == (
        "ended",
        "failed",
        "NOT_FOUND",
        0,
    )
    assert began["id"] == ended["id"]


async def test_whoever_follows_sees_only_their_own(hub):
    key = await hub.key_with()
    watching, own = await hub.connect(key), hub.door(key=key)
    me = (await own("account.me"))["id"]
    async with aclosing(watching.answers("call.follow")) as events:
        following = asyncio.create_task(anext(events))
        while not following.done():
            await own("account.me")
        await following
        await hub.door()("account.list")
        await own("operation.search", text="anything")
        seen = []
        async for event in events:
            seen.append(event)
            if event["operation"] == "operation.search":
                break
    assert {event["accountId"] for event in seen} == {me}


async def test_old_calls_are_forgotten(serve):
    async with serve() as hub:
        await hub.door()("account.list")
        await hub.written()
    async with serve(call_retention_days=1e-9) as hub:
        await until(
            lambda: hub.door()("call.list", operation="account.list"),
            lambda page: page["items"] == [],
        )
