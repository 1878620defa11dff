"""What is taken away is in the trail."""

from tests.support.hub import until
from tests.support.peer import spec


async def test_a_spoke_and_an_operation_that_were_removed_are_in_the_trail(hub):
    call = hub.door()
    peer = await hub.connect()
    registered = await peer.register("machine", spec("test", "read"))
    await peer.leave()
    id, name = registered["spokeId"], registered["operations"][0]["operationId"]
    await until(lambda: call("spoke.get", id=id), lambda spoke: spoke["status"] == "disconnected")
    await call("operation.remove", id=name)
    await call("spoke.remove", id=id)
    trail = (await call("audit.list", limit=2))["items"]
    assert [(each["action"], each["details"]) for each in trail] == [
        ("spoke.removed", {"spoke": id, "name": "machine"}),
        ("operation.removed", {"operation": name, "reassigned": 0}),
    ]
