"""Calls that take long become tasks, for clients that know of them."""

import asyncio

import pytest

from hubbub.interfaces.mcp import asking
from tests.support.hub import until
from tests.support.peer import spec

pytestmark = pytest.mark.slow

TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@pytest.fixture
def hasty(monkeypatch):
    """A hub that makes a task of what does not end at once."""
    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)


@pytest.fixture
async def slow(hub, wire, hasty):
    """A spoke that is asked, the task that is begun, and what can be asked of that."""
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    client = wire()
    call = {"name": "dev_fs_read", "arguments": {}}
    task = (await client.modern("tools/call", call, TASKS)).json()["result"]

    async def ask(method, **more):
        head = {"Mcp-Name": task["taskId"]}
        params = {"taskId": task["taskId"], **more}
        return (await client.modern(method, params, TASKS, **head)).json()

    return spoke, task, ask


async def test_what_takes_long_becomes_a_task(slow):
    spoke, task, ask = slow
    assert (task["resultType"], task["status"]) == ("task", "working")
    assert (await ask("tasks/get"))["result"]["status"] == "working"
    await spoke.answer(await spoke.asked(), {"text": "hello"})

    async def standing():
        return (await ask("tasks/get"))["result"]

    done = await until(standing, lambda found: found["status"] != "working")
    assert (done["status"], done["taskId"]) == ("completed", task["taskId"])
    assert done["result"]["structuredContent"] == {"text": "hello"}


async def test_a_task_that_is_cancelled_is_stopped_where_it_runs(slow):
    spoke, _, ask = slow
    asked = await spoke.asked()
    assert (await ask("tasks/cancel"))["result"]["resultType"] == "complete"
    assert (await spoke.stopped())["requestId"] == asked["requestId"]
    assert (await ask("tasks/get"))["result"]["status"] == "cancelled"
    assert (await ask("tasks/cancel"))["result"]["resultType"] == "complete"


async def test_a_task_is_nobody_elses(hub, slow, wire):
    _, task, _ = slow
    key = await hub.key_with()
    head = {"Authorization": f"Bearer {key}", "Mcp-Name": task["taskId"]}
    refused = await wire().modern("tasks/get", {"taskId": task["taskId"]}, TASKS, **head)
    assert refused.json()["error"]["code"] == -32602


async def test_a_task_may_want_to_know_something(serving, wire, hasty):
    await serving("echo")
    client = wire()
    call = {"name": "wait", "arguments": {}}
    assert (await client.modern("tools/call", call, TASKS)).json()["result"]["status"] == "working"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_tasks_are_for_clients_that_know_of_them(wire, method):
    refused = await wire().modern(method, {"taskId": "t"}, **{"Mcp-Name": "t"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == -32021
    assert refused.json()["error"]["data"] == {"requiredCapabilities": TASKS}


async def test_who_does_not_know_of_tasks_waits(hub, wire, hasty):
    spoke = await hub.spoke("laptop", spec("dev.fs", "read"))
    client = wire()
    call = asyncio.create_task(client.modern("tools/call", {"name": "dev_fs_read"}))
    asked = await spoke.asked()
    await asyncio.wait([call], timeout=0.2)
    await spoke.answer(asked, "done")
    assert (await call).json()["result"]["content"][0]["text"] == "done"
