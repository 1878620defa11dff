"""A client of an organization: its members see it, who administers it changes it."""

import pytest
from sqlalchemy import insert

from hubbub.identity.tables import organization_members, organizations
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import AccessDenied, NotFound
from hubbub.kernel.ids import new_id

RUN = {"transport": "stdio", "command": "mcp-server-time"}


@pytest.fixture
async def people(hub):
    """Callers by what they are in an organization, and its id as `org`."""
    levels = ("owner", "admin", "member", None)
    callers, org = {}, new_id()
    accounts = {}
    for level in levels:
        key = await hub.key_with("clients:read", "clients:write", email=f"{level}@example.org")
        callers[level] = hub.door("direct", key)
        accounts[level] = (await callers[level]("account.me"))["id"]

    async def found(tx):
        common = {"created_at": utc_now(), "updated_at": utc_now()}
        await tx.execute(
            insert(organizations),
            id=org, name="Tea", slug="tea", owner_id=accounts["owner"], **common,
        )  # fmt: skip
        for level in levels[:3]:
            await tx.execute(
                insert(organization_members),
                id=new_id(), org_id=org, account_id=accounts[level], membership_level=level,
                **common,
            )  # fmt: skip

    await hub.house.database.write(found)
    return {**callers, "org": org}


async def test_members_see_the_client_and_who_administers_changes_it(people):
    made = await people["admin"](
        "client.create", name="time", type="mcp-server", config=RUN, orgId=people["org"]
    )
    for level in ("owner", "admin", "member"):
        assert await people[level]("client.get", client="time") == made
        assert (await people[level]("client.list"))["items"] == [made]
    with pytest.raises(NotFound):
        await people[None]("client.get", client="time")
    assert (await people[None]("client.list"))["items"] == []
    await people["owner"]("client.setSecret", client="time", key="A", value="x")
    for operation, more in [
        ("client.update", {"enabled": False}),
        ("client.setSecret", {"key": "A", "value": "y"}),
        ("client.removeSecret", {"key": "A"}),
        ("client.remove", {}),
    ]:
        with pytest.raises(AccessDenied):
            await people["member"](operation, client="time", **more)
        with pytest.raises(NotFound):
            await people[None](operation, client="time", **more)
    await people["owner"]("client.remove", client="time")


async def test_only_who_administers_an_organization_gives_it_clients(people, hub):
    new = {"type": "mcp-server", "config": RUN, "orgId": people["org"]}
    with pytest.raises(AccessDenied):
        await people["member"]("client.create", name="time", **new)
    with pytest.raises(NotFound):
        await people[None]("client.create", name="time", **new)
    with pytest.raises(NotFound):
        await people["owner"]("client.create", name="time", **{**new, "orgId": new_id()})
    assert (await hub.door()("client.create", name="time", **new))["orgId"] == people["org"]
