"""What others said on a caller's behalf is not theirs to read."""

import pytest

from hubbub.kernel.errors import Invalid
from tests.support.hub import recorded
from tests.support.peer import spec

ONE = {"type": "object", "properties": {"pin": {"type": "integer"}}}


async def test_the_tree_of_a_call_does_not_quote_what_its_provider_said(hub):
    provider = await hub.key_with("spokes:connect", email="provider@example.org")
    spoke = await hub.spoke("machine", spec("a", "ask"), key=provider)
    await hub.spoke("vault", spec("b", "take", inputSchema=ONE), key=provider)
    caller = await hub.connect(await hub.key_with(email="caller@example.org"))
    name = await caller.begin(f"a.{await _id(spoke, 'machine')}.ask")
    asked = await spoke.asked()
    with pytest.raises(Invalid):
        await spoke.call("b.take", {"pin": "hunter2"}, parentRequestId=asked["requestId"])
    await spoke.answer(asked)
    id = (await caller.heard(name))["payload"]["callId"]
    await hub.written()
    await recorded(hub.door(), id)
    tree = await caller.call("call.tree", {"id": id})
    (child,) = tree["children"]
    assert child["call"]["error"]["code"] == Invalid.code
    assert "hunter2" not in str(tree)


async def _id(spoke, name):
    (found,) = (
        each["id"] for each in (await spoke.call("spoke.list"))["items"] if each["name"] == name
    )
    return found
