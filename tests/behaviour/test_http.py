"""What is particular to HTTP."""

import asyncio
import json
from contextlib import aclosing

import httpx2
import pytest

from hubbub.kernel.errors import AccessDenied, Invalid, NoProvider, OperationNotFound, TimedOut
from tests.support.hub import last, recorded, until
from tests.support.peer import spec

TEXT = {"type": "string"}
EVERYTHING = {
    "type": "object",
    "properties": {
        "text": TEXT,
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "deep": {"type": "boolean"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "kind": {"enum": ["a", "1"]},
        "tags": {"type": "array", "items": TEXT},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "some": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
    },
    "additionalProperties": False,
}


@pytest.fixture
async def http(hub):
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers, verify=False) as client:
        yield client


async def relayed(hub, http, spoke, path):
    """What a spoke is given when this is asked for, and what is answered."""
    asking = asyncio.create_task(http.get(path))
    asked = await spoke.asked()
    await spoke.answer(asked, "done")
    return asked["input"], (await asking).json()["data"]


async def test_a_query_with_a_flat_input_is_asked_for_by_get(http):
    answer = await http.get("/v1/operation/list?limit=2&namespace=call")
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json()["data"]["items"]] == ["call.abort", "call.follow"]


async def test_a_value_of_a_query_string_is_what_its_field_takes(hub, http):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read", inputSchema=EVERYTHING))
    for operation in ("dev.fs/read", f"{(await spoke_namespace(hub))}/read"):
        for query, input in (
            ("", {}),
            ("text=5", {"text": "5"}),
            ("text=", {"text": ""}),
            ("text=null", {"text": "null"}),
            ("count=5", {"count": 5}),
            ("share=0.5", {"share": 0.5}),
            ("deep=true", {"deep": True}),
            ("maybe=3", {"maybe": 3}),
            ("maybe=null", {"maybe": None}),
            ("kind=1", {"kind": "1"}),
            ("tags=1&tags=b", {"tags": ["1", "b"]}),
            ("tags=a", {"tags": ["a"]}),
            ("ids=1&ids=2", {"ids": [1, 2]}),
            ("some=7", {"some": [7]}),
            ("text=%C3%BC%20%26", {"text": "ü &"}),
        ):
            path = f"/v1/{operation}?{query}"
            assert await relayed(hub, http, spoke, path) == (input, "done"), query


async def test_a_value_that_does_not_fit_is_refused(hub, http):
    await hub.spoke("laptop", spec("dev.fs", "read", inputSchema=EVERYTHING))
    for query in ("count=many", "nothing=1", "ids=1&ids=b", "deep=%22true%22"):
        answer = await http.get(f"/v1/dev.fs/read?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_mutation_is_asked_for_by_post_under_whatever_name(hub, http):
    await hub.spoke("laptop", spec("dev.fs", "write", "mutation"))
    for operation in ("account/create", "dev.fs/write", f"{await spoke_namespace(hub)}/write"):
        answer = await http.get(f"/v1/{operation}?email=ann@example.org")
        assert (answer.status_code, answer.json()["error"]["details"]) == (
            400,
            {"errors": [{"field": "method", "expected": "POST", "got": "GET"}]},
        )
    assert len((await hub.door()("account.list"))["items"]) == 1


async def test_an_answer_names_its_call(hub, http):
    answer = await http.get("/v1/account/me")
    call = await recorded(hub.door(), answer.headers["Hubbub-Call-Id"])
    assert (call["operation"], call["status"]) == ("account.me", "completed")


async def test_an_error_has_the_status_of_its_code(hub, http):
    me = (await hub.door()("account.me"))["id"].encode()
    for operation, body, status, code in (
        ("account/me", b"{}", 200, None),
        ("account/me", b"", 200, None),
        ("no/such", b"{}", 404, "OPERATION_NOT_FOUND"),
        ("account/get", b'{"id": "x"}', 404, "NOT_FOUND"),
        ("account/get", b"{}", 400, "VALIDATION_ERROR"),
        ("account/get", b"not json", 400, "VALIDATION_ERROR"),
        ("account/get", b'{"id": "\xff"}', 400, "VALIDATION_ERROR"),
        ("account/get", b"[" * 50_000, 400, "VALIDATION_ERROR"),
        ("account/get", b'{"id":' + b"[" * 600 + b"]" * 600 + b"}", 400, "VALIDATION_ERROR"),
        ("account/get", b"[]", 400, "VALIDATION_ERROR"),
        ("account/get", b"null", 400, "VALIDATION_ERROR"),
        ("account/setStatus", b'{"id": "%s", "status": "suspended"}' % me, 409, "CONFLICT"),
        ("hub/register", b'{"name":"x","spokeType":"compute","operations":[]}', 409, "CONFLICT"),
    ):
        answer = await http.post(f"/v1/{operation}", content=body)
        assert (answer.status_code, answer.json().get("error", {}).get("code")) == (status, code)


async def test_whatever_is_sent_the_calls_can_be_listed(hub, http):
    for body in (b"not json", b'{"id": "\xff"}', b'{"id": 1e999}', b'{"id": "\\ud800"}', b"[" * 9):
        await http.post("/v1/account/get", content=body)
        await http.post("/v1/account/list", content=body, headers={"Authorization": "Bearer x"})
    await hub.written()
    listed = await hub.door()("call.list", operation="account.get")
    assert {call["status"] for call in listed["items"]} == {"failed"}


async def test_an_input_may_not_be_larger_than_a_frame(http):
    answer = await http.post("/v1/account/get", content=b'"' + b"x" * (16 << 20) + b'"')
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TOO_LARGE")


async def test_what_is_not_an_operation_is_not_found(http):
    answer = await http.get("/nothing/here")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.slow
async def test_a_caller_may_say_how_long_it_waits(hub, http):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    answer = await http.post("/v1/dev.fs/read", headers={"Hubbub-Timeout-Ms": "600"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
    assert (await spoke.asked())["requestId"] == (await spoke.stopped())["requestId"]
    answer = await http.post("/v1/dev.fs/read", headers={"Hubbub-Timeout-Ms": "soon"})
    assert answer.status_code == 400


async def test_a_caller_may_say_who_shall_answer(hub, http):
    one = await hub.spoke("one", spec("chat", "complete", shared=True))
    await hub.spoke("two", spec("chat", "complete", shared=True))
    for _ in range(3):
        asking = asyncio.create_task(
            http.post("/v1/chat/complete", headers={"Hubbub-Provider": "one"})
        )
        await one.answer(await one.asked(), "one")
        assert (await asking).json()["data"] == "one"


async def test_an_error_that_an_operation_declares_has_the_status_that_it_declares(hub, http):
    declared = [{"code": "NO_MONEY", "description": "Pay first.", "httpStatus": 402}]
    spoke = await hub.spoke("laptop", spec("dev.shop", "buy", errorSchemas=declared))
    for code, details, status in (
        ("NO_MONEY", {"left": 3}, 402),
        ("NO_MONEY", {"httpStatus": 200}, 402),
        ("OUT_OF_STOCK", {"httpStatus": 410}, 410),
        ("OUT_OF_STOCK", {"httpStatus": 200}, 500),
        ("OUT_OF_STOCK", {"httpStatus": 99}, 500),
        ("OUT_OF_STOCK", {}, 500),
    ):
        asking = asyncio.create_task(http.post("/v1/dev.shop/buy"))
        await spoke.fail(await spoke.asked(), code, **details)
        answer = await asking
        assert answer.json()["error"] == {"code": code, "message": "no", "details": details}
        assert answer.status_code == status


async def test_a_caller_who_leaves_stops_the_call(hub, http):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    asking = asyncio.create_task(http.post("/v1/dev.fs/read"))
    asked = await spoke.asked()
    asking.cancel()
    stopped = await spoke.stopped()
    assert stopped == {"requestId": asked["requestId"], "reason": "cancelled_by_caller"}


# Server-sent events.


@pytest.fixture
def door():
    return "http"


async def test_a_subscription_is_a_stream_of_events(hub, call):
    spoke = await hub.spoke("laptop", spec("dev.log", "tail", "subscription"))
    async with aclosing(call.events("dev.log.tail", {})) as events:
        kind, began = await anext(events)
        asked = await spoke.asked()
        assert (kind, began) == ("began", {"callId": asked["requestId"]})
        await spoke.send("call.progress", requestId=asked["requestId"], progress=1, total=2)
        await spoke.answer(asked, "one")
        await spoke.answer(asked, "two")
        await spoke.complete(asked)
        heard = [event async for event in events]
    assert [kind for kind, _ in heard] == ["progress", "answer", "answer", "completed"]
    assert [data["data"] for _, data in heard[1:3]] == ["one", "two"]
    assert (heard[0][1]["progress"], heard[0][1]["total"], heard[3][1]) == (1, 2, {})


async def test_a_subscription_that_fails_ends_in_an_event(hub, call):
    spoke = await hub.spoke("laptop", spec("dev.log", "tail", "subscription"))
    async with aclosing(call.events("dev.log.tail", {})) as events:
        await anext(events)
        await spoke.fail(await spoke.asked(), "ROTATED", "the log is gone", at=5)
        assert [event async for event in events] == [
            ("error", {"code": "ROTATED", "message": "the log is gone", "details": {"at": 5}})
        ]


async def test_an_answer_in_several_lines_is_one_event(hub, call):
    spoke = await hub.spoke("laptop", spec("dev.log", "tail", "subscription"))
    async with aclosing(call.events("dev.log.tail", {})) as events:
        await anext(events)
        asked = await spoke.asked()
        meta = {"source": "local", "operationId": "x", "timestamp": 1}
        output = {"data": {"a": 1}, "meta": meta}
        frame = {"requestId": asked["requestId"], "output": output}
        whole = {"type": "call.responded", "id": "", "payload": frame}
        await spoke.say(json.dumps(whole, indent=2).replace("\n", "\r\n"))
        _, answer = await anext(events)
        assert answer["data"] == {"a": 1}


@pytest.mark.parametrize(
    ("input", "error"), [({"path": 5}, Invalid), ({"path": "x"}, AccessDenied)]
)
async def test_a_subscription_that_may_not_begin_has_a_status_of_its_own(hub, input, error):
    path = {"type": "object", "properties": {"path": TEXT}}
    access = {"requiredScopes": ["dev:read"]}
    listen = spec("chat", "listen", "subscription", shared=True)
    await hub.spoke("laptop", {**listen, "inputSchema": path, "accessControl": access})
    call = hub.door("http", hub.key if error is Invalid else await hub.key_with())
    with pytest.raises(error):
        async with aclosing(call.events("chat.listen", input)) as events:
            await anext(events)


async def test_a_subscription_that_is_not_there_has_a_status_of_its_own(hub, call):
    spoke = await hub.spoke("laptop", spec("chat", "listen", "subscription", shared=True))
    await spoke.leave()
    await until(lambda: hub.door()("spoke.list"), lambda page: page["items"][0]["disconnectedAt"])
    for operation, error in (("chat.listen", NoProvider), ("no.such", OperationNotFound)):
        with pytest.raises(error):
            async with aclosing(call.events(operation, {}, accept="text/event-stream")) as events:
                await anext(events)


async def test_whoever_accepts_events_gets_them_for_any_operation(hub, call):
    async with aclosing(call.events("account.me", {}, accept="text/event-stream")) as events:
        heard = [event async for event in events]
    assert [kind for kind, _ in heard] == ["began", "answer", "completed"]
    assert heard[1][1]["data"]["email"] == "owner@localhost"


async def test_a_listener_who_leaves_stops_the_subscription(hub, call):
    spoke = await hub.spoke("laptop", spec("dev.log", "tail", "subscription"))
    async with aclosing(call.events("dev.log.tail", {})) as events:
        await anext(events)
        asked = await spoke.asked()
        await spoke.answer(asked, "one")
        await anext(events)
    stopped = await spoke.stopped()
    assert stopped == {"requestId": asked["requestId"], "reason": "cancelled_by_caller"}
    ended = await last(hub.door(), f"{await spoke_namespace(hub)}.tail")
    assert (ended["status"], ended["error"]["details"]) == (
        "aborted",
        {"reason": "cancelled_by_caller"},
    )


async def test_a_subscription_in_which_nothing_happens_ends(hub, call):
    spoke = await hub.spoke("laptop", spec("dev.log", "tail", "subscription"))
    headers = {"Hubbub-Timeout-Ms": "60"}
    with pytest.raises(TimedOut):
        async with aclosing(call.events("dev.log.tail", {}, **headers)) as events:
            async for kind, data in events:
                if kind == "error":
                    assert data["details"]["reason"] == "timeout"
                    raise TimedOut("as it should be")
    await spoke.asked()
    assert (await spoke.stopped())["reason"] == "timeout"


async def spoke_namespace(hub):
    """Under which namespace the hub knows what the one spoke offers."""
    (registered,) = [
        offering.definition
        for offering in hub.house.router.offers.all()
        if offering.definition.id.startswith("dev.")
    ]
    return registered.spec.namespace
