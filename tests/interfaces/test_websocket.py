"""Messages as frames bring them."""

import pytest

from hubbub.kernel.limits import FRAME_BYTES_MAX


@pytest.fixture
def dialect():
    return "sqlite"


async def test_a_message_may_come_in_several_frames_even_empty_ones(hub):
    peer = await hub.connect()
    for name in ("a", "b"):
        call = f'"payload": {{"requestId": "{name}", "operationId": "account.me"}}}}'
        await peer.say(["", '{"type": "call.requested", ', "", call, ""])
        assert (await peer.other("call.responded"))["requestId"] == name


async def test_many_frames_together_may_hold_no_more_than_one(hub):
    peer = await hub.connect()
    part = "x" * (FRAME_BYTES_MAX // 4)
    await peer.say([part] * 5)
    assert await peer.closed() == 1009
