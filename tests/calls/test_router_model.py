"""Whatever happens, and in whatever order, the router agrees with a plain account of it."""

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.calls.world import World

PICK = st.integers(0, 2**10)

STEPS = {
    "arrive": (2, 3),
    "offer_anew": (1, 2),
    "temper": (3, 3),
    "drain_one": (0.3, 1),
    "withdraw": (1, 1),
    "begin": (18, 5),
    "abort": (5, 2),
    "respond": (8, 2),
    "respond_astray": (5, 3),
    "wait": (4, 1),
    "stall": (1, 1),
}
"""How often each thing happens where dice are thrown, and how many picks it takes."""

RARE = {
    "a call began at the end of another",
    "a call while the hub leaves",
    "a child of a call that stops",
    "a child outlived a content parent",
    "a deadline that had passed",
    "a link refused",
    "a new epoch",
    "a provider left as it was given a call",
    "a reply before it was sent to the end",
    "a reply to an abort before it returned",
    "a result won over a kill",
    "aborted with a grandparent",
    "everybody busy",
    "for somebody else",
    "forgotten",
    "killed in vain",
    "nested too deep",
    "timed out",
    "timed out in silence",
    "too late",
    "went to another",
}


class RouterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(operations=PICK, concurrency_max=PICK)
    def somebody_is_here(self, operations, concurrency_max):
        self.world.arrive(0, operations, concurrency_max)

    @rule(id=PICK, operations=PICK, concurrency_max=PICK)
    def arrive(self, id, operations, concurrency_max):
        self.world.arrive(id, operations, concurrency_max)

    @rule(spoke=PICK, operations=PICK)
    def offer_anew(self, spoke, operations):
        self.world.offer_anew(spoke, operations)

    @rule(spoke=PICK, on_send=PICK, on_abort=PICK)
    def temper(self, spoke, on_send, on_abort):
        self.world.temper(spoke, on_send, on_abort)

    @rule(spoke=PICK)
    def drain_one(self, spoke):
        self.world.drain_one(spoke)

    @rule(spoke=PICK)
    def withdraw(self, spoke):
        self.world.withdraw(spoke)

    @rule(operation=PICK, parent=PICK, pin=PICK, deadline=PICK, on_end=PICK)
    def begin(self, operation, parent, pin, deadline, on_end):
        self.world.begin(operation, parent, pin, deadline, on_end)

    @rule(call=PICK, mode=PICK)
    def abort(self, call, mode):
        self.world.abort(call, mode)

    @rule(call=PICK, kind=PICK)
    def respond(self, call, kind):
        self.world.respond(call, kind)

    @rule(spoke=PICK, call=PICK, kind=PICK)
    def respond_astray(self, spoke, call, kind):
        self.world.respond_astray(spoke, call, kind)

    @rule(wait=PICK)
    def wait(self, wait):
        self.world.wait(wait)

    @rule(wait=PICK)
    def stall(self, wait):
        self.world.stall(wait)

    @rule()
    def drain(self):
        self.world.drain()

    def teardown(self):
        try:
            self.world.finish(len(self.world.calls))
        finally:
            self.world.close()


QUICK = settings(
    max_examples=60,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)

TestRouter = RouterMachine.TestCase
TestRouter.settings = QUICK


@pytest.mark.slow
class TestRouterAtLength(RouterMachine.TestCase):
    settings = settings(QUICK, max_examples=600, stateful_step_count=80)


def throw(world: World, dice: random.Random, steps: int) -> None:
    names = list(STEPS)
    weights = [STEPS[name][0] for name in names]
    world.arrive(0, 31, 2)
    for name in dice.choices(names, weights, k=steps):
        getattr(world, name)(*(dice.randrange(2**10) for _ in range(STEPS[name][1])))
    world.drain()
    world.begin(0, 1, 1, 0, 0)
    world.finish(dice.randrange(3))


def test_the_rare_things_do_happen():
    """Else the state machine might agree with itself and say nothing of the router."""
    seen = dict.fromkeys(RARE, 0)
    for seed in range(100):
        world = World()
        try:
            throw(world, random.Random(seed), 120)
        finally:
            world.close()
        for name, times in world.seen.items():
            seen[name] += times
    assert {name for name, times in seen.items() if times == 0} == set()
