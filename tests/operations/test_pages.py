"""Every list has a bound, and a cursor to what is beyond it."""

import asyncio

import pytest

from hubbub.kernel.errors import Invalid
from tests.support.hub import recorded
from tests.support.peer import spec

TEXT = {"type": "string"}
NAMES = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}


async def paged(call, operation, field="items", **input):
    """The items of all pages, of one item each."""
    pages = [await call(operation, limit=1, **input)]
    while pages[-1]["nextCursor"] is not None:
        pages.append(await call(operation, limit=1, cursor=pages[-1]["nextCursor"], **input))
    assert {len(page[field]) for page in pages} == {1}
    return [page[field][0] for page in pages]


async def test_a_search_goes_on_where_a_page_ended(hub):
    call = hub.door()
    whole = await call("operation.search", text="list calls keys", limit=500)
    assert await paged(call, "operation.search", text="list calls keys") == whole["items"]
    assert len(whole["items"]) > 5


async def test_stats_go_on_where_a_page_ended(hub):
    call = hub.door()
    for operation in ("account.me", "operation.list", "spoke.list"):
        await call(operation)
    await hub.written()
    until = (await call("call.list", limit=1))["items"][0]["createdAt"]
    whole = await call("call.stats", until=until)
    assert await paged(call, "call.stats", until=until) == whole["items"]
    assert {"account.me", "operation.list"} <= {each["operation"] for each in whole["items"]}


async def test_edges_go_on_where_a_page_ended(hub):
    makes = [spec("names", name, outputSchema=NAMES) for name in ("draw", "find", "make")]
    await hub.spoke("one", *makes, spec("names", "use", inputSchema=NAMES))
    call = hub.door()
    whole = await call("operation.graph", namespace="names")
    assert await paged(call, "operation.graph", "edges", namespace="names") == whole["edges"]
    assert len(whole["edges"]) >= 3


@pytest.mark.parametrize("operation", ["operation.search", "call.stats", "operation.graph"])
async def test_a_cursor_of_something_else_is_refused(hub, operation):
    text = {"text": "calls"} if operation == "operation.search" else {}
    with pytest.raises(Invalid) as refused:
        await hub.door()(operation, cursor="WyJhIiwiYiIsImMiXQ", **text)
    assert refused.value.details["errors"][0]["field"] == "cursor"


async def test_calls_are_listed_by_the_call_that_made_them(hub):
    peer = await hub.spoke("outer", spec("test", "outer"), spec("test", "inner"))
    caller = await hub.connect()
    asking = asyncio.create_task(caller.call("test.outer"))
    outer = await peer.asked()
    made = []
    for _ in range(2):
        nested = asyncio.create_task(peer.call("test.inner", parentRequestId=outer["requestId"]))
        inner = await peer.asked()
        made.append(inner["requestId"])
        await peer.answer(inner)
        await nested
    await peer.answer(outer)
    await asking
    call = hub.door()
    await recorded(call, outer["requestId"])
    listed = await paged(call, "call.list", parentId=outer["requestId"])
    assert [each["id"] for each in listed] == made[::-1]
    tree = await call("call.tree", id=outer["requestId"])
    assert ([each["call"]["id"] for each in tree["children"]], tree["more"]) == (made, False)
