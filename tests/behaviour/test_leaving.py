"""A caller who goes before the answer comes."""

import asyncio

import httpx2

from tests.support.peer import spec


async def test_a_request_whose_client_has_gone_is_stopped_at_the_spoke(hub):
    spoke = await hub.spoke("laptop", spec("demo", "wait"))
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers) as client:
        asking = asyncio.create_task(client.post("/v1/demo/wait", json={}))
        asked = await spoke.asked()
        asking.cancel()
        await asyncio.wait([asking])
    stopped = await spoke.stopped()
    assert stopped["requestId"] == asked["requestId"]
    assert stopped["reason"] == "cancelled_by_caller"
