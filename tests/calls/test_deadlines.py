"""Deadlines fire once, never early, at most one bucket late, and leave nothing behind."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.calls.deadlines import BUCKETS_PER_S, Deadlines
from tests.support.clock import DrivenLoop

BUCKET_S = 1 / BUCKETS_PER_S
ROUNDING_S = 1e-9


@pytest.fixture
def loop():
    with DrivenLoop().running() as loop:
        yield loop


class Fired(list):
    """Notes what expired, and when."""

    def __init__(self, loop):
        self.loop = loop

    def __call__(self, call):
        self.append((call.name, self.loop.time()))

    @property
    def names(self):
        return [name for name, _ in self]


@dataclass(eq=False)
class Due:
    """As much of a call as has to do with its deadline."""

    due_s: float
    name: object


def due(at_s, name="call"):
    return Due(at_s, name)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_whatever_the_moments_each_fires_once_in_order_and_within_a_bucket(moments):
    with DrivenLoop().running() as loop:
        fired = Fired(loop)
        deadlines = Deadlines(fired)
        for n, after_s in enumerate(moments):
            deadlines.add(due(1000 + after_s, n))
        loop.advance(101)
        assert sorted(fired.names) == list(range(len(moments)))
        for name, at_s in fired:
            late_s = at_s - (1000 + moments[name])
            assert -ROUNDING_S <= late_s <= BUCKET_S + ROUNDING_S
        assert (len(deadlines), loop.armed) == (0, [])


def test_a_moment_in_the_past_fires_at_once_and_not_inside_add(loop):
    fired = Fired(loop)
    Deadlines(fired).add(due(1.0))
    assert fired == []
    loop.advance(0)
    assert fired.names == ["call"]


def test_a_moment_that_was_moved_fires_only_then(loop):
    fired = Fired(loop)
    deadlines = Deadlines(fired)
    call = due(1001.0)
    deadlines.add(call)
    deadlines.move(call, 1005.0)
    loop.advance(4.9)
    assert fired == []
    loop.advance(0.2)
    assert fired.names == ["call"]


def test_a_discarded_call_does_not_fire(loop):
    fired = Fired(loop)
    deadlines = Deadlines(fired)
    call, other = due(1001.0, "gone"), due(1001.0, "stays")
    deadlines.add(call)
    deadlines.add(other)
    deadlines.discard(call)
    loop.advance(2)
    assert fired.names == ["stays"]


def test_the_end_of_one_may_empty_the_next_bucket_that_is_due(loop):
    fired = Fired(loop)
    first, second, third = due(1001.0, "first"), due(1002.0, "second"), due(1003.0, "third")

    def expired(call):
        fired(call)
        if call is first:
            deadlines.discard(second)

    deadlines = Deadlines(expired)
    for call in (first, second, third):
        deadlines.add(call)
    loop.stall(10)
    assert fired.names == ["first", "third"]
    assert loop.armed == []


def test_the_end_of_one_may_move_another_that_is_due(loop):
    fired = Fired(loop)
    calls = [due(1001.0, n) for n in range(2)]

    def expired(call):
        fired(call)
        if len(fired) == 1:
            deadlines.move(calls[1 - call.name], 1020.0)

    deadlines = Deadlines(expired)
    for call in calls:
        deadlines.add(call)
    loop.stall(10)
    assert len(fired) == 1
    loop.advance(10.1)
    assert sorted(fired.names) == [0, 1]


def test_the_end_of_one_may_add_a_late_one_and_those_between_fire_in_time(loop):
    fired = Fired(loop)

    def expired(call):
        fired(call)
        if call.name == "first":
            deadlines.add(due(1060.0, "last"))

    deadlines = Deadlines(expired)
    deadlines.add(due(1001.0, "first"))
    deadlines.add(due(1002.0, "between"))
    loop.advance(2.1)
    assert fired.names == ["first", "between"]
    loop.advance(60)
    assert fired.names == ["first", "between", "last"]


def test_ever_earlier_moments_leave_no_trail_of_empty_buckets(loop):
    deadlines = Deadlines(Fired(loop))
    for seconds in range(1000, 1, -1):
        call = due(1000.0 + seconds)
        deadlines.add(call)
        deadlines.discard(call)
    assert (len(deadlines), len(deadlines._buckets), len(loop.armed)) == (0, 1, 1)


def test_ten_thousand_that_come_move_and_go_leave_one_look_at_most_and_then_nothing(loop):
    chance = random.Random(1)
    fired = Fired(loop)
    deadlines = Deadlines(fired)
    calls = [due(1000 + chance.uniform(0, 60), n) for n in range(10_000)]
    for call in calls:
        deadlines.add(call)
    for call in calls:
        deadlines.move(call, call.due_s + chance.uniform(0, 60))
    chance.shuffle(calls)
    for call in calls:
        deadlines.discard(call)
    assert (len(deadlines), len(deadlines._buckets), len(loop.armed)) == (0, 1, 1)
    loop.advance(120)
    assert (fired, len(deadlines._buckets), loop.armed) == ([], 0, [])


def test_closing_takes_the_timer_along(loop):
    fired = Fired(loop)
    deadlines = Deadlines(fired)
    deadlines.add(due(1001.0))
    deadlines.close()
    assert (len(deadlines), loop.armed) == (0, [])
    loop.advance(10)
    assert fired == []
