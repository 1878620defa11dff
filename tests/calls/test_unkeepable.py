"""What is good JSON and yet more than a database can hold."""

import pytest

OMITTED = {"$omitted": {"reason": "the database cannot keep it"}}
ODD = {
    "a character that PostgreSQL has no room for": "nul \x00 inside",
    "and one that only looks like it": "nul \\u0000 spelled out",
}


@pytest.mark.parametrize("text", ODD.values(), ids=list(ODD))
async def test_whatever_a_call_says_it_leaves_a_record_and_so_do_the_others(hub, call, text):
    await call("operation.search", text=text)
    await call("operation.search", text="something else")
    await hub.house.graph.settled()
    found = (await call("call.list", operation="operation.search"))["items"]
    assert [each["status"] for each in found] == ["completed", "completed"]
    assert found[0]["input"] == {"text": "something else"}
    assert found[1]["input"] in ({"text": text}, OMITTED)
