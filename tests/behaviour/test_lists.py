"""Every list has pages: each item is on one of them, once."""

from datetime import UTC, datetime
from itertools import product

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.kernel.paging import encode_cursor
from tests.support.peer import spec

LISTS = (
    *("account.list", "apiKey.list", "audit.list", "call.list", "client.list", "client.status"),
    *("operation.list", "profile.list", "registry.list", "spoke.list", "workload.list"),
)


async def walked(call, operation, limit, **input):
    """The ids of all items, page by page."""
    pages = []
    cursor = None
    while True:
        page = await call(operation, limit=limit, cursor=cursor, **input)
        pages.append([item["id"] for item in page["items"]])
        cursor = page["nextCursor"]
        if cursor is None:
            return pages


async def filled(hub):
    """A hub with a few of everything."""
    owner = hub.door()
    for n in range(5):
        account = await owner("account.create", email=f"{n}@example.org")
        await owner("apiKey.create", ownerId=account["id"])
        await hub.spoke(f"spoke-{n}", spec(f"dev.n{n}", "read"))
        await owner("profile.create", name=f"profile-{n}")
        await owner("registry.add", name=f"server-{n}", package=f"npm:server-{n}")
        server = {"transport": "stdio", "command": f"server-{n}"}
        more = {"type": "mcp-server", "config": server, "enabled": False}
        await owner("client.create", name=f"client-{n}", **more)
    await owner("workload.refresh", source="hub")
    await hub.written()


# These are walked in tests/operations/test_pages.py, tests/services and tests/mcpservers: they need
# something to rank, or to belong to.
RANKED = (
    *("call.stats", "client.listSecrets", "client.reencrypt", "operation.graph"),
    *("operation.search", "workload.search"),
)


def test_every_list_is_looked_at(hub):
    pages = [
        operation.spec.id
        for operation in hub.house.operations
        if "nextCursor" in operation.spec.output_schema.get("properties", {})
    ]
    assert sorted(pages) == sorted([*LISTS, *RANKED])


async def test_walking_the_pages_gives_each_item_once(hub):
    await filled(hub)
    # What is called from here on would be new on the list of calls.
    now = {"until": datetime.now(UTC).isoformat()}
    for operation in LISTS:
        more = now if operation == "call.list" else {}
        (whole,) = await walked(hub.door(), operation, 500, **more)
        assert len(whole) == len(set(whole)) >= 5
        for limit in (1, 3):
            pages = await walked(hub.door(), operation, limit, **more)
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
            assert [id for page in pages for id in page] == whole


async def test_a_page_has_a_bound(hub):
    for operation, limit in product(LISTS, (0, 501, -1, "many")):
        with pytest.raises(Invalid) as refused:
            await hub.door()(operation, limit=limit)
        assert [error["field"] for error in refused.value.details["errors"]] == ["limit"]


async def test_a_cursor_is_one_that_the_list_gave(hub):
    cursors = ("x", "AAAA", "WyJhIl0x", "W10", "WyJhIiwiYiIsImMiXQ", "ü")
    for operation, cursor in product(LISTS, cursors):
        with pytest.raises(Invalid) as refused:
            await hub.door()(operation, cursor=cursor)
        assert [error["field"] for error in refused.value.details["errors"]] == ["cursor"]


async def test_a_cursor_by_time_holds_a_moment(hub):
    moments = ("2020-01-01", "2020-01-01T00:00:00", "soon")
    for operation, moment in product(("audit.list", "call.list"), moments):
        with pytest.raises(Invalid) as refused:
            await hub.door()(operation, cursor=encode_cursor(moment, "x"))
        assert [error["field"] for error in refused.value.details["errors"]] == ["cursor"]


async def test_a_page_is_asked_for_through_every_door(call):
    first = await call("operation.list", limit=2, namespace="account")
    assert [item["id"] for item in first["items"]] == ["account.create", "account.get"]
    second = await call(
        "operation.list", limit=500, namespace="account", cursor=first["nextCursor"]
    )
    assert ([item["id"] for item in second["items"]], second["nextCursor"]) == (
        ["account.list", "account.me", "account.setStatus"],
        None,
    )
