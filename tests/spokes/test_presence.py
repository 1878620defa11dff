"""A spoke has one connection at a time: the one that registered last."""

import asyncio

import msgspec
import pytest

from hubbub.calls.model import Provider
from hubbub.calls.router import Router
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict, Invalid
from hubbub.protocol import frames
from hubbub.protocol.closing import FENCED
from hubbub.protocol.specs import Registration
from hubbub.spokes.presence import CHECKED_AT_ONCE, Here, Presence
from hubbub.spokes.store import Arrival
from tests.support.clock import DrivenLoop
from tests.support.routing import ADA, Heard, Wire, answer, ask, definition

TWICE = definition("dev.twice", idempotent=True)
ONCE = definition("dev.once")


class Peer:
    connection_id = "peer"

    def __init__(self):
        self.open = True
        self.closed_with = None

    def send(self, frame):
        pass

    def close(self, code, reason):
        self.open = False
        self.closed_with = code


class Tasks:
    """Notes which departures would be written down."""

    def __init__(self):
        self.departures = []

    def start_soon(self, surviving, note, arrival):
        self.departures.append((arrival.id, arrival.epoch))


@pytest.fixture
def loop():
    with DrivenLoop().running() as loop:
        yield loop


@pytest.fixture
def router(loop):
    return Router([])


@pytest.fixture
def tasks():
    return Tasks()


@pytest.fixture
def presence(router, tasks):
    return Presence(router, None, utc_now, tasks, set())


def here(peer, epoch, id="s"):
    arrival = Arrival(id=id, epoch=epoch)
    spoke = Provider(type="spoke", id=id, name=id, link=Wire(), epoch=epoch)
    return Here(arrival=arrival, peer=peer, provider=spoke)


def enter(presence, entering, *definitions):
    presence._enter(entering, [(each, each.id) for each in definitions])


def responded(id):
    payload = frames.Responded(request_id=id, output=answer())
    return frames.CallResponded(payload=payload)


def test_a_connection_that_registers_anew_keeps_its_calls(presence, router):
    peer = Peer()
    enter(presence, here(peer, 1), ONCE)
    heard = Heard()
    call = router.open(ask("dev.once"), ADA, heard)
    enter(presence, here(peer, 2), TWICE)
    presence.received(peer, responded(call.id))
    assert heard.end == ("completed", None)
    presence.left(peer)
    assert (len(presence), router.offers.held) == (0, 0)


def test_a_connection_that_registers_as_another_spoke_is_the_first_no_more(presence, router, tasks):
    peer = Peer()
    enter(presence, here(peer, 1, "first"), ONCE)
    enter(presence, here(peer, 1, "second"), ONCE)
    assert (len(presence), tasks.departures) == (1, [("first", 1)])
    presence.left(peer)
    assert (len(presence), router.offers.held) == (0, 0)


def test_a_newer_connection_fences_the_older_and_takes_over_what_may_run_again(presence, router):
    old, new = Peer(), Peer()
    enter(presence, here(old, 1), ONCE, TWICE)
    once, twice = Heard(), Heard()
    call_once = router.open(ask("dev.once"), ADA, once)
    call_twice = router.open(ask("dev.twice"), ADA, twice)
    enter(presence, here(new, 2), ONCE, TWICE)
    assert old.closed_with == FENCED
    assert once.end == ("failed", "ABORTED")
    presence.received(old, responded(call_twice.id))
    presence.received(old, responded(call_once.id))
    assert twice.ends == []
    presence.received(new, responded(call_twice.id))
    assert twice.end == ("completed", None)
    presence.left(old)
    assert len(presence) == 1
    presence.left(new)
    assert len(presence) == 0


def test_an_older_registration_that_is_heard_of_later_does_not_take_over(presence, router):
    old, new = Peer(), Peer()
    enter(presence, here(new, 2), ONCE)
    with pytest.raises(Conflict):
        enter(presence, here(old, 1), ONCE)
    assert (old.closed_with, new.closed_with) == (FENCED, None)
    assert [each.epoch for each in router.offers.providers()] == [2]
    presence.left(new)
    assert len(presence) == 0


def test_two_registrations_of_one_connection_may_come_in_either_order(presence, router):
    peer = Peer()
    enter(presence, here(peer, 2), ONCE)
    with pytest.raises(Conflict):
        enter(presence, here(peer, 1), TWICE)
    assert (peer.open, [each.epoch for each in router.offers.providers()]) == (True, [2])


def test_a_connection_that_is_cut_off_while_it_registers_anew_takes_its_calls_along(
    presence, router
):
    peer = Peer()
    enter(presence, here(peer, 1), ONCE)
    heard = Heard()
    router.open(ask("dev.once"), ADA, heard)
    peer.close(4008, "slow")
    with pytest.raises(Conflict):
        enter(presence, here(peer, 2), ONCE)
    presence.left(peer)
    assert heard.end == ("failed", "ABORTED")
    assert (len(presence), router.offers.held, set(router.held().values())) == (0, 0, {0})


@pytest.mark.parametrize("field", ["input_schema", "output_schema"])
async def test_a_schema_that_is_none_is_refused_with_its_place(field):
    presence = Presence(Router([]), None, utc_now, Tasks(), set())
    broken = msgspec.structs.replace(ONCE.spec, **{field: {"type": "object", "properties": "x"}})
    told = Registration(name="s", spoke_type="dev-env", operations=(TWICE.spec, broken))
    with pytest.raises(Invalid) as refused:
        await presence.register("ada", Peer(), told)
    (error,) = refused.value.details["errors"]
    assert error["field"] == f"operations[1].{field.split('_')[0]}Schema"
    assert (error["expected"], "properties" in error["got"]) == ("JSON Schema 2020-12", True)


async def test_nobody_waits_until_all_of_a_long_registration_is_checked():
    presence = Presence(Router([]), None, utc_now, Tasks(), set())
    many = [msgspec.structs.replace(ONCE.spec, name=f"n{n}") for n in range(4 * CHECKED_AT_ONCE)]
    told = Registration(name="s", spoke_type="dev-env", operations=(*many, many[0]))
    registering = asyncio.create_task(presence.register("ada", Peer(), told))
    turns = 0
    while not registering.done():
        await asyncio.sleep(0)
        turns += 1
    assert (turns > 4, type(registering.exception())) == (True, Invalid)
