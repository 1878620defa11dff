"""While a spoke is away, what it offers is known and not offered."""

import pytest

from hubbub.kernel.errors import NoProvider, OperationNotFound
from tests.support.hub import until
from tests.support.peer import spec

LOCKED = {"requiredScopes": ["test:read"]}


async def test_what_a_spoke_offered_has_no_provider_by_either_name_while_it_is_away(hub):
    call = hub.door()
    peer = await hub.connect()
    registered = await peer.register("machine", spec("test", "read"))
    await peer.leave()
    whole = registered["operations"][0]["operationId"]
    gone = registered["spokeId"]
    await until(lambda: call("spoke.get", id=gone), lambda spoke: spoke["status"] != "connected")
    for name in (whole, "test.read"):
        with pytest.raises(NoProvider):
            await call(name)
    with pytest.raises(OperationNotFound):
        await call("test.write")


async def test_who_may_not_use_it_does_not_learn_of_it(hub):
    peer = await hub.connect()
    registered = await peer.register("machine", spec("test", "read", accessControl=LOCKED))
    await peer.leave()
    call, gone = hub.door(), registered["spokeId"]
    await until(lambda: call("spoke.get", id=gone), lambda spoke: spoke["status"] != "connected")
    with pytest.raises(OperationNotFound):
        await hub.door("direct", await hub.key_with())("test.read")
