"""What a database cannot keep, or Python cannot read, harms no other record."""

import json

import pytest

from tests.support.hub import recorded
from tests.support.peer import spec

NUL = "\\u0000"
HUGE = ("1e999999", "1e5000")


async def answered(hub, output):
    """The id of a call that a spoke answered with these bytes as its data."""
    spoke = await hub.spoke("machine", spec("odd", "say"))
    caller = await hub.connect()
    name = await caller.begin("odd.say", {})
    asked = await spoke.asked()
    payload = (
        f'{{"requestId": "{asked["requestId"]}", "output":'
        f' {{"data": {output}, "meta": {{"source": "local",'
        ' "operationId": "x", "timestamp": 1}}}'
    )
    await spoke.say(f'{{"type": "call.responded", "payload": {payload}}}')
    return (await caller.heard(name))["payload"]["callId"]


@pytest.mark.parametrize("output", HUGE)
async def test_a_number_beyond_all_bounds_leaves_the_record_readable(hub, output):
    id = await answered(hub, output)
    call = await recorded(hub.door(), id)
    assert call["status"] == "completed"
    assert id in [each["id"] for each in (await hub.door()("call.list"))["items"]]


async def test_a_text_with_a_nul_is_recorded_or_left_out(hub):
    id = await answered(hub, f'"{NUL}"')
    call = await recorded(hub.door(), id)
    assert call["status"] == "completed"
    assert call["output"] in ("\0", {"$omitted": {"reason": "the database cannot keep it"}})
    # What came before and after is there too.
    assert (await hub.door()("call.stats"))["items"][-1]["count"] == 1


async def test_an_input_with_a_nul_keeps_no_other_call_from_being_recorded(hub):
    caller = await hub.connect()
    await caller.call("operation.search", {"text": "\0"})
    await caller.call("account.me")
    await hub.written()
    listed = await hub.door()("call.list")
    assert {each["operation"] for each in listed["items"]} >= {"operation.search", "account.me"}


async def test_an_error_with_a_nul_is_recorded_as_one(hub):
    spoke = await hub.spoke("machine", spec("odd", "fail"))
    caller = await hub.connect()
    name = await caller.begin("odd.fail", {})
    await spoke.fail(await spoke.asked(), "ODD", "\0", why="\0")
    frame = await caller.heard(name)
    call = await recorded(hub.door(), frame["payload"]["callId"])
    assert call["status"] == "failed"
    assert json.dumps(call["error"])
