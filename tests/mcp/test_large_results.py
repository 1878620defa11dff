"""Results that are too large to be handed to a model at once."""

import asyncio
import json

import pytest

from hubbub.interfaces.mcp.spill import ACCOUNT_BYTES_MAX, PART_BYTES, Spill
from hubbub.kernel.errors import Invalid, NotFound, TooLarge
from tests.support.peer import spec

pytestmark = pytest.mark.slow


async def whole(client, first):
    """All parts of a result, put together."""
    text, about = (block.text for block in first.content)
    while (cursor := about_of(about)["nextCursor"]) is not None:
        more = {"handle": about_of(about)["handle"], "cursor": cursor}
        part = await client.call_tool("read_result", more)
        text += part.content[0].text
        about = part.content[1].text
    return text


def about_of(text):
    return json.loads(text)


async def test_a_large_result_comes_in_parts_and_whole(serving, agent):
    await serving("echo")
    size = 3 * PART_BYTES + 7
    async with agent() as client:
        first = await client.call_tool("call_tool", {"name": "echo.big", "arguments": {"n": size}})
        assert len(first.content[0].text) == PART_BYTES
        assert await whole(client, first) == "x" * size


async def test_who_is_shown_a_tool_itself_is_given_all_of_its_result(serving, agent):
    await serving("echo")
    async with agent("/mcp/all") as client:
        answer = await client.call_tool("big", {"n": 3 * PART_BYTES})
    assert len(answer.content[0].text) == 3 * PART_BYTES


async def test_a_large_answer_of_an_operation_is_its_data(hub, agent):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    data = {"lines": ["é" * 100] * 400}
    async with agent() as client:
        asking = asyncio.create_task(client.call_tool("call_tool", {"name": "dev.fs.read"}))
        await spoke.answer(await spoke.asked(), data)
        assert about_of(await whole(client, await asking)) == data


async def test_a_handle_is_nobody_elses_and_parts_begin_where_they_begin():
    spill = Spill()
    part = spill.keep("a", ("é" * PART_BYTES).encode())
    with pytest.raises(NotFound):
        spill.part("b", part.handle, None)
    for cursor in ("1", "-1", "x", str(10**30), str(2 * PART_BYTES)):
        with pytest.raises(Invalid):
            spill.part("a", part.handle, cursor)


async def test_what_is_kept_is_bounded():
    spill = Spill()
    first = spill.keep("a", b"x" * (ACCOUNT_BYTES_MAX // 2))
    for _ in range(5):
        last = spill.keep("a", b"x" * (ACCOUNT_BYTES_MAX // 2))
    assert spill.size <= ACCOUNT_BYTES_MAX
    assert spill.part("a", last.handle, None).bytes_total == ACCOUNT_BYTES_MAX // 2
    with pytest.raises(NotFound):
        spill.part("a", first.handle, None)
    with pytest.raises(TooLarge):
        spill.keep("a", b"x" * (ACCOUNT_BYTES_MAX + 1))
