"""A spoke is sent what is meant for it, and nothing that is meant for another account's."""

import asyncio

import pytest

from hubbub.kernel.errors import Invalid, NoProvider
from tests.support.peer import spec

READ = spec("dev.fs", "read")


@pytest.fixture
def account(hub):
    """Connections of an account of its own."""

    async def account(name):
        key = await hub.key_with("spokes:connect", email=f"{name}@example.org")
        return lambda: hub.connect(key)

    return account


async def asked_alone(asked, other):
    """Whether one spoke is asked, and the other is not."""
    await asyncio.wait_for(asked.asked(), 5)
    await other.call("account.me")  # whatever was sent to it before has come by now
    return other._others.empty()


async def test_nobody_shares_an_operation_under_the_id_of_another_spoke(account):
    ann, eve = await account("ann"), await account("eve")
    laptop, stranger = await ann(), await eve()
    registered = await laptop.register("laptop", READ)
    namespace = f"dev.{registered['spokeId']}.fs"
    with pytest.raises(Invalid):
        await stranger.register("stranger", spec(namespace, "read", shared=True))


async def test_one_registration_offers_nothing_twice(hub):
    spoke = await hub.connect()
    registered = await spoke.register("laptop", READ)
    namespace = f"dev.{registered['spokeId']}.fs"
    with pytest.raises(Invalid):
        await spoke.register("laptop", READ, spec(namespace, "read", shared=True))


async def test_a_short_name_means_ones_own_machine_though_a_stranger_shares_that_name(account):
    ann, eve = await account("ann"), await account("eve")
    laptop, caller, stranger = await ann(), await ann(), await eve()
    await laptop.register("laptop", READ)
    await stranger.register("stranger", spec("dev.fs", "read", shared=True))
    await caller.begin("dev.fs.read")
    assert await asked_alone(laptop, stranger)


async def test_a_machine_is_chosen_by_name_only_among_ones_own(account):
    ann, eve = await account("ann"), await account("eve")
    laptop, caller, stranger = await ann(), await ann(), await eve()
    await laptop.register("laptop", READ)
    registered = await stranger.register("laptop", READ)
    await caller.begin("dev.fs.read", provider="laptop")
    assert await asked_alone(laptop, stranger)
    await laptop.leave()
    with pytest.raises(NoProvider):
        await caller.call("dev.fs.read", provider="laptop")
    await caller.begin("dev.fs.read", provider=registered["spokeId"])
    assert (await stranger.asked())["operationId"] == "dev.fs.read"


async def test_no_spoke_is_called_by_what_could_be_the_id_of_another(account):
    ann, eve = await account("ann"), await account("eve")
    laptop, stranger = await ann(), await eve()
    registered = await laptop.register("laptop", READ)
    with pytest.raises(Invalid):
        await stranger.register(registered["spokeId"], READ)


async def test_everybody_is_shown_their_own_spokes(account):
    ann, eve = await account("ann"), await account("eve")
    laptop, stranger = await ann(), await eve()
    registered = await laptop.register("laptop", READ)
    await stranger.register("stranger", READ)
    shown = await laptop.call("spoke.list")
    assert [each["id"] for each in shown["items"]] == [registered["spokeId"]]
