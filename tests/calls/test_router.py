"""The router at its edges: what comes back before it was sent to the end, what comes twice, what
comes too late. That every call ends once, whatever happens, is shown in test_router_model."""

import asyncio
import time

import pytest
from msgspec import Raw

from hubbub.calls.inflight import IDLE_TIMEOUT_S_MAX, KILL_WAIT_S, Bounds
from hubbub.calls.model import Ask, Cancel, Reason
from hubbub.calls.offers import NotOffered
from hubbub.calls.router import Router
from hubbub.kernel.errors import Conflict, DomainError, Invalid, Unavailable
from hubbub.kernel.limits import CALL_DEPTH_MAX
from hubbub.protocol.specs import AccessControl
from tests.support.clock import DrivenLoop
from tests.support.routing import ADA, BOB, Heard, Ledger, answer, ask, definition, provider

QUERY = definition("dev.query")
TWICE = definition("dev.twice", idempotent=True)
STREAM = definition("dev.stream", "subscription")

ZERO = {"calls": 0, "deadlines": 0, "slots": 0}


@pytest.fixture
def loop():
    with DrivenLoop().running() as loop:
        yield loop


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def router(loop, ledger):
    return Router([ledger])


def offering(router, id, *definitions, **more):
    spoke = provider(id, **more)
    router.offer(spoke, [(each, each.id) for each in definitions])
    return spoke


def begin(router, id, parent=None, caller=ADA, **more):
    heard = Heard()
    return router.open(ask(id, parent, **more), caller, heard), heard


def in_ms(seconds):
    return time.time_ns() // 1_000_000 + round(seconds * 1000)


# Calls that may not begin.


def test_a_refused_child_leaves_nothing_on_its_parent(router, ledger):
    closed = definition("dev.closed", access_control=AccessControl(required_scopes=("no",)))
    offering(router, "s", QUERY, closed)
    parent, _ = begin(router, "dev.query")
    child, heard = begin(router, "dev.closed", parent)
    assert heard.end == ("failed", "ACCESS_DENIED")
    assert not parent.children
    assert ledger.began_ids == [parent.id, child.id]
    assert ledger.ended_ids == [child.id]


def test_a_bug_in_admission_leaves_nothing_in_flight(router):
    broken = definition("dev.broken")
    broken.inputs.check = lambda input: 1 / 0
    offering(router, "s", broken)
    with pytest.raises(ZeroDivisionError):
        begin(router, "dev.broken")
    assert (router.held(), router.counters.opened) == (ZERO, 0)


@pytest.mark.parametrize("brackets", [10_000, 1_000_000])
def test_an_input_nested_too_deep_to_read_is_refused(router, brackets):
    offering(router, "s", QUERY)
    heard = Heard()
    wanted = Ask(operation_id="dev.query", input=Raw(b"[" * brackets + b"]" * brackets))
    router.open(wanted, ADA, heard)
    assert (heard.end, router.held()) == (("failed", "VALIDATION_ERROR"), ZERO)


def test_a_child_of_a_call_that_is_being_aborted_is_refused(router):
    offering(router, "s", QUERY)
    parent, _ = begin(router, "dev.query")
    router.abort(parent, Cancel.KILL)
    _, heard = begin(router, "dev.query", parent)
    assert heard.end == ("failed", "UNAVAILABLE")
    assert not parent.children


def test_nobody_builds_on_a_call_that_is_neither_theirs_nor_given_to_them(router):
    offering(router, "s", QUERY, account_id="carol")
    parent, _ = begin(router, "dev.query")
    with pytest.raises(Invalid):
        begin(router, "dev.query", parent, caller=BOB)


def test_the_owner_of_the_provider_may_build_on_the_call(router):
    offering(router, "s", QUERY, account_id="bob")
    parent, _ = begin(router, "dev.query")
    child, _ = begin(router, "dev.query", parent, caller=BOB)
    assert child.parent is parent


def test_calls_nest_so_deep_and_no_deeper(router):
    offering(router, "s", QUERY)
    call, first = begin(router, "dev.query")
    root = call
    for _ in range(CALL_DEPTH_MAX):
        call, _ = begin(router, "dev.query", call)
    _, heard = begin(router, "dev.query", call)
    assert heard.end == ("failed", "CONFLICT")
    router.abort(root)
    assert (first.end, router.held()) == (("aborted", "ABORTED"), ZERO)


def test_a_name_that_several_have_needs_a_choice(router):
    one, two = definition("dev.one.read"), definition("dev.two.read")
    spokes = [provider("one"), provider("two")]
    for spoke, each in zip(spokes, (one, two), strict=True):
        router.offer(spoke, [(each, "dev.read")])
    with pytest.raises(Conflict) as refused:
        begin(router, "dev.read")
    assert refused.value.details["choices"] == ["dev.one.read", "dev.two.read"]
    call, _ = begin(router, "dev.read", provider="two")
    assert (call.provider, call.local_id) == (spokes[1], "dev.read")
    router.withdraw(spokes[1])
    call, _ = begin(router, "dev.read")
    assert call.provider is spokes[0]


# Deadlines.


def test_a_call_whose_deadline_has_passed_is_not_started(router):
    spoke = offering(router, "s", QUERY)
    for passed_ms in (0, in_ms(-1), -(10**400)):
        _, heard = begin(router, "dev.query", deadline_ms=passed_ms)
        assert heard.end == ("failed", "TIMEOUT")
    assert (spoke.link.sent, router.held()) == ([], ZERO)


@pytest.mark.parametrize(
    "deadline_ms", [10**15, 10**30, 10**400], ids=["far", "too far", "no float"]
)
def test_a_deadline_beyond_the_longest_is_the_longest_and_the_provider_is_told_so(
    loop, router, deadline_ms
):
    offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query", deadline_ms=deadline_ms)
    longest_s = router.bounds.timeout_s_max
    assert call.deadline_ms == call.created_ns // 1_000_000 + round(longest_s * 1000)
    loop.advance(longest_s - 0.1)
    assert heard.ends == []
    loop.advance(0.2)
    assert heard.end == ("failed", "TIMEOUT")


def test_a_call_without_a_deadline_has_the_usual_one(loop, router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    loop.advance(router.bounds.timeout_s + 0.1)
    assert (heard.end, heard.ends[0].reason) == (("failed", "TIMEOUT"), Reason.TIMEOUT)
    assert spoke.link.aborts == [(call, Reason.TIMEOUT)]


@pytest.mark.parametrize(
    ("given_ms", "lives_s"),
    [(600_000, 600), (1000, 60), (10**9, 3600), (10**400, 3600)],
    ids=["more", "less", "too much", "no float"],
)
def test_a_call_that_waits_for_another_has_the_time_of_that_one_and_never_less(
    loop, router, given_ms, lives_s
):
    offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.extend(call.id, given_ms)
    loop.advance(lives_s - 0.1)
    assert heard.ends == []
    loop.advance(0.2)
    assert heard.end == ("failed", "TIMEOUT")


def test_a_call_that_waits_for_another_keeps_the_deadline_that_its_caller_set(loop, router):
    offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query", deadline_ms=in_ms(2))
    router.extend(call.id, 600_000)
    loop.advance(2.1)
    assert heard.end == ("failed", "TIMEOUT")


def test_a_call_that_is_to_stop_gets_no_more_time(loop, router):
    offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.abort(call, Cancel.KILL)
    router.extend(call.id, 600_000)
    loop.advance(KILL_WAIT_S + 0.1)
    assert heard.end == ("aborted", "ABORTED")


def test_every_answer_gives_a_subscription_more_time(loop, router):
    spoke = offering(router, "s", STREAM)
    call, heard = begin(router, "dev.stream", idle_timeout_ms=1000)
    for n in range(5):
        loop.advance(0.9)
        router.responded(spoke, call.id, answer(n))
    assert heard.answers == [0, 1, 2, 3, 4]
    loop.advance(1.1)
    assert heard.end == ("failed", "TIMEOUT")


def test_answers_do_not_keep_alive_a_subscription_that_is_to_stop(loop, router):
    spoke = offering(router, "s", STREAM)
    call, heard = begin(router, "dev.stream")
    router.abort(call, Cancel.KILL)
    for _ in range(12):
        router.responded(spoke, call.id, answer())
        loop.advance(1)
    assert heard.end == ("aborted", "ABORTED")


def test_a_subscription_that_waits_for_a_longer_one_may_be_silent_as_long(loop, router):
    offering(router, "s", STREAM)
    given, heard_given = begin(router, "dev.stream", idle_timeout_ms=1000)
    open_, heard_open = begin(router, "dev.stream")
    for call in (given, open_):
        router.extend(call.id, 1_000_000)
    loop.advance(999)
    assert (heard_given.end, heard_open.ends) == (("failed", "TIMEOUT"), [])
    loop.advance(1.1)
    assert heard_open.end == ("failed", "TIMEOUT")


@pytest.mark.parametrize(
    "idle_ms", [10**400, round(IDLE_TIMEOUT_S_MAX * 1000) + 1], ids=["no float", "long"]
)
def test_an_idle_timeout_beyond_the_longest_is_the_longest(router, idle_ms):
    offering(router, "s", STREAM)
    call, _ = begin(router, "dev.stream", idle_timeout_ms=idle_ms)
    assert call.idle_timeout_s == IDLE_TIMEOUT_S_MAX


@pytest.mark.parametrize("idle_ms", [0, -5, -(10**400)], ids=["0", "-5", "no float"])
def test_an_idle_timeout_of_nothing_is_over_at_once(loop, router, idle_ms):
    offering(router, "s", STREAM)
    _, heard = begin(router, "dev.stream", idle_timeout_ms=idle_ms)
    loop.advance(0.1)
    assert heard.end == ("failed", "TIMEOUT")


# Aborting.


def test_a_killed_call_waits_for_its_provider_so_long_and_no_longer(loop, router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.abort(call, Cancel.KILL)
    loop.advance(KILL_WAIT_S - 1)
    router.abort(call, Cancel.KILL)
    assert heard.ends == []
    loop.advance(1.1)
    assert (heard.end, heard.ends[0].reason) == (("aborted", "ABORTED"), Reason.CANCELLED)
    assert spoke.link.aborts == [(call, Reason.CANCELLED)]


def test_a_killed_call_does_not_outlive_its_deadline(loop, router):
    offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query", deadline_ms=in_ms(2))
    router.abort(call, Cancel.KILL)
    loop.advance(2.1)
    assert heard.end == ("aborted", "ABORTED")


def test_the_result_of_a_killed_call_may_win(router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.abort(call, Cancel.KILL)
    router.responded(spoke, call.id, answer())
    router.stopped(spoke, call.id)
    assert (heard.end, router.counters.late) == (("completed", None), 1)


def test_a_killed_call_may_be_aborted_for_good_and_its_provider_is_told_once(router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.abort(call, Cancel.KILL)
    router.abort(call, Cancel.KILLNOWAIT)
    assert (heard.end, router.held()) == (("aborted", "ABORTED"), ZERO)
    assert spoke.link.aborts == [(call, Reason.CANCELLED)]


def test_a_skipped_call_is_left_to_its_provider(router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.abort(call, Cancel.SKIP)
    router.responded(spoke, call.id, answer())
    assert heard.end == ("aborted", "ABORTED")
    assert (spoke.link.aborts, router.counters.late) == ([], 1)


def test_a_skipped_subscription_is_stopped_for_it_might_never_end(router):
    spoke = offering(router, "s", STREAM)
    call, _ = begin(router, "dev.stream")
    router.abort(call, Cancel.SKIP)
    assert spoke.link.aborts == [(call, Reason.CANCELLED)]


def test_aborting_takes_everything_below_along_each_told_once(router):
    spoke = offering(router, "s", QUERY)
    calls, heard = [], []
    for parent in (None, 0, 0, 1, 3):
        call, sink = begin(router, "dev.query", None if parent is None else calls[parent])
        calls.append(call)
        heard.append(sink)
    router.abort(calls[0])
    reasons = [sink.ends[0].reason for sink in heard]
    assert reasons == [Reason.CANCELLED, *[Reason.PARENT] * 4]
    assert sorted(call.id for call, _ in spoke.link.aborts) == [call.id for call in calls]
    assert router.held() == ZERO


def test_children_outlive_a_parent_that_is_content_and_are_aborted_on_their_own(router):
    spoke = offering(router, "s", QUERY)
    top, _ = begin(router, "dev.query")
    parent, _ = begin(router, "dev.query", top)
    child, heard = begin(router, "dev.query", parent)
    router.responded(spoke, parent.id, answer())
    router.abort(top)
    assert heard.ends == []
    router.abort(child)
    assert (heard.end, router.held()) == (("aborted", "ABORTED"), ZERO)


@pytest.mark.parametrize("mode", list(Cancel))
@pytest.mark.parametrize("reply", ["responded", "failed", "stopped"])
def test_a_provider_may_reply_to_an_abort_before_it_returns(loop, router, mode, reply):
    spoke = offering(router, "s", QUERY)
    replies = {
        "responded": lambda call: router.responded(spoke, call.id, answer()),
        "failed": lambda call: router.failed(spoke, call.id, DomainError("NO", "no")),
        "stopped": lambda call: router.stopped(spoke, call.id),
    }
    spoke.link.on_abort = replies[reply]
    call, heard = begin(router, "dev.query")
    router.abort(call, mode)
    assert (len(heard.ends), router.held()) == (1, ZERO)
    loop.advance(100)
    assert loop.armed == []


def test_what_is_decided_stands_whatever_the_provider_says_when_it_is_told(loop, router):
    spoke = offering(router, "s", STREAM)
    spoke.link.on_abort = lambda call: router.completed(spoke, call.id)
    rubbish, heard = begin(router, "dev.stream")
    router.responded(spoke, rubbish.id, Raw(b"[]"))
    _, heard_late = begin(router, "dev.stream")
    loop.advance(router.bounds.idle_timeout_s + 1)
    assert heard.end == ("failed", "VALIDATION_ERROR")
    assert heard_late.end == ("failed", "TIMEOUT")
    assert router.counters.late == 2


def test_who_hears_of_an_end_may_abort_and_open_others(router):
    spoke = offering(router, "s", QUERY)
    parent, _ = begin(router, "dev.query")
    one, heard_one = begin(router, "dev.query", parent)
    two, heard_two = begin(router, "dev.query", parent)
    late = []

    def ended(call):
        for other in (one, two, parent):
            router.abort(other, Cancel.SKIP)
        late.append(begin(router, "dev.query")[0])

    heard_one.on_end = heard_two.on_end = ended
    router.abort(parent)
    assert [len(heard.ends) for heard in (heard_one, heard_two)] == [1, 1]
    assert set(router.calls) == {call.id for call in late} == set(spoke.calls)


def test_an_end_heard_in_the_middle_of_another_does_not_tell_the_provider_again(router):
    spoke = offering(router, "s", QUERY)
    parent, _ = begin(router, "dev.query")
    one, heard_one = begin(router, "dev.query", parent)
    two, heard_two = begin(router, "dev.query", parent)
    heard_one.on_end = lambda call: router.abort(two)
    heard_two.on_end = lambda call: router.abort(one)
    router.abort(parent)
    assert sorted(call.id for call, _ in spoke.link.aborts) == [parent.id, one.id, two.id]


# Providers answer on the spot, twice, wrongly, too late.


@pytest.mark.parametrize("op", ["dev.query", "dev.stream"])
def test_a_provider_may_answer_before_the_call_was_sent_to_the_end(router, op):
    spoke = offering(router, "s", QUERY, STREAM)

    def send(call):
        router.responded(spoke, call.id, answer("here"))
        router.completed(spoke, call.id)

    spoke.link.on_send = send
    call, heard = begin(router, op)
    assert (heard.end, router.held()) == (("completed", None), ZERO)
    assert call.outcome is heard.ends[0]


def test_a_link_that_answers_and_then_says_that_it_did_not_start_has_answered(router):
    spoke = offering(router, "s", QUERY)

    def send(call):
        router.responded(spoke, call.id, answer())
        raise Unavailable("no")

    spoke.link.on_send = send
    _, heard = begin(router, "dev.query")
    assert (heard.end, router.held()) == (("completed", None), ZERO)


def test_a_link_that_gives_a_call_back_twice_gives_it_back_once(router):
    first, second = offering(router, "a", QUERY), offering(router, "b", QUERY)

    def send(call):
        router.failed(first, call.id, Unavailable("no"))
        raise Unavailable("no")

    first.link.on_send = send
    call, heard = begin(router, "dev.query")
    assert (call.provider, list(second.calls)) == (second, [call.id])
    assert (heard.ends, list(first.calls)) == ([], [])


def test_a_link_may_find_out_that_its_provider_is_gone_when_it_is_asked(router):
    first, second = offering(router, "a", TWICE), offering(router, "b", TWICE)

    def send(call):
        router.withdraw(first)
        raise Unavailable("no")

    first.link.on_send = send
    call, _ = begin(router, "dev.twice")
    assert (call.provider, list(second.calls), first.calls) == (second, [call.id], {})


def test_a_call_that_nobody_starts_ends_with_what_the_last_one_said(router):
    first, second = offering(router, "a", QUERY), offering(router, "b", QUERY)

    def send(call):
        raise Unavailable("closing", left=True)

    first.link.on_send = second.link.on_send = send
    for chosen in (None, "a"):
        _, heard = begin(router, "dev.query", provider=chosen)
        assert (heard.end, heard.ends[0].error.details) == (
            ("failed", "UNAVAILABLE"),
            {"left": True},
        )
    assert (router.counters.rerouted, router.held()) == (1, ZERO)


def test_an_answer_that_is_no_envelope_is_the_end(router):
    spoke = offering(router, "s", QUERY, STREAM)
    for op in ("dev.query", "dev.stream"):
        call, heard = begin(router, op)
        router.responded(spoke, call.id, Raw(b'{"data": 1}'))
        assert heard.end == ("failed", "VALIDATION_ERROR")
    assert router.held() == ZERO


def test_answers_that_break_their_schema_are_passed_on_counted_and_told_of_once(router, caplog):
    spoke = offering(router, "s", definition("dev.odd", output_schema={"type": "string"}))
    for data in (1, 2, "fits"):
        call, heard = begin(router, "dev.odd")
        router.responded(spoke, call.id, answer(data))
        assert heard.end == ("completed", None)
    assert (router.counters.unfit, len(caplog.records)) == (2, 1)


def test_a_query_needs_an_answer(router):
    spoke = offering(router, "s", QUERY)
    call, heard = begin(router, "dev.query")
    router.completed(spoke, call.id)
    assert heard.end == ("failed", "EXECUTION_ERROR")


def test_what_comes_after_the_end_is_counted_and_nothing_else(router):
    spoke = offering(router, "s", QUERY, STREAM)
    query, _ = begin(router, "dev.query")
    stream, heard = begin(router, "dev.stream")
    router.responded(spoke, query.id, answer())
    router.responded(spoke, query.id, answer())
    router.completed(spoke, stream.id)
    router.responded(spoke, stream.id, answer())
    router.failed(spoke, stream.id, DomainError("NO", "no"))
    assert (heard.end, heard.answers) == (("completed", None), [])
    assert (router.counters.late, router.counters.stray) == (3, 0)


def test_nobody_answers_for_somebody_else(router):
    spoke, other = offering(router, "a", QUERY), provider("b")
    call, heard = begin(router, "dev.query")
    for reply in (router.completed, router.stopped):
        reply(other, call.id)
    router.responded(other, call.id, answer())
    router.responded(spoke, "no such call", answer())
    assert (heard.ends, router.counters.stray) == ([], 4)


# Providers come and go.


def test_a_call_that_was_not_started_goes_to_another(router):
    first, second = offering(router, "a", QUERY), offering(router, "b", QUERY)
    call, heard = begin(router, "dev.query")
    router.failed(first, call.id, Unavailable("full"))
    assert (second.link.sent, heard.ends) == ([call], [])
    router.failed(second, call.id, Unavailable("full", retryAfterMs=7))
    assert heard.end == ("failed", "UNAVAILABLE")
    assert (router.counters.rerouted, router.held()) == (1, ZERO)


def test_a_call_that_may_have_run_ends_with_its_provider(router):
    first, second = offering(router, "a", QUERY, TWICE), offering(router, "b", QUERY, TWICE)
    once, heard = begin(router, "dev.query", provider="a")
    twice, _ = begin(router, "dev.twice", provider="a")
    router.withdraw(first)
    assert (heard.end, heard.ends[0].reason) == (("failed", "ABORTED"), Reason.CALLEE_LEFT)
    assert twice.outcome is not None  # it was pinned
    moved, _ = begin(router, "dev.twice")
    assert (moved.provider, once.provider) == (second, first)


def test_each_call_that_ends_with_its_provider_has_an_error_of_its_own(router):
    spoke = offering(router, "s", QUERY)
    heard = [begin(router, "dev.query")[1] for _ in range(2)]
    router.withdraw(spoke)
    # One that all share would keep what each of them was raised through, for ever.
    one, other = (each.ends[0].error for each in heard)
    assert one is not other


def test_an_idempotent_call_goes_on_elsewhere_unless_it_was_answered_or_is_to_stop(router):
    follow = definition("dev.follow", "subscription", idempotent=True)
    first, second = offering(router, "a", TWICE, follow), offering(router, "b", TWICE, follow)
    call, _ = begin(router, "dev.twice")
    second.draining = True  # so that the others come to the first, too
    answered, heard_answered = begin(router, "dev.follow")
    stopping, heard_stopping = begin(router, "dev.twice")
    second.draining = False
    assert {each.provider for each in (call, answered, stopping)} == {first}
    router.responded(first, answered.id, answer())
    router.abort(stopping, Cancel.KILL)
    router.withdraw(first)
    assert (call.provider, second.link.sent) == (second, [call])
    reasons = [heard.ends[0].reason for heard in (heard_answered, heard_stopping)]
    assert reasons == [Reason.CALLEE_LEFT, Reason.CALLEE_LEFT]


def test_a_call_that_was_answered_or_is_to_stop_is_not_begun_by_another(router):
    first, second = offering(router, "a", QUERY, STREAM), offering(router, "b", QUERY, STREAM)
    second.draining = True
    answered, heard_answered = begin(router, "dev.stream")
    stopping, heard_stopping = begin(router, "dev.query")
    second.draining = False
    router.responded(first, answered.id, answer())
    router.abort(stopping, Cancel.KILL)
    for call in (answered, stopping):
        router.failed(first, call.id, Unavailable("no more"))
    ends = [heard.end for heard in (heard_answered, heard_stopping)]
    assert ends == [("failed", "UNAVAILABLE")] * 2
    assert second.link.sent == []


def test_a_draining_provider_keeps_its_calls_and_gets_no_more(router):
    first, second = offering(router, "a", QUERY), offering(router, "b", QUERY)
    call, heard = begin(router, "dev.query")
    first.draining = True
    other, _ = begin(router, "dev.query")
    assert other.provider is second
    router.failed(second, other.id, Unavailable("full"))
    assert other.outcome.error.name == "UNAVAILABLE"  # and not given to the one that drains
    router.responded(first, call.id, answer())
    assert heard.end == ("completed", None)


def test_a_call_comes_back_to_a_spoke_under_a_new_epoch_but_never_twice_to_one(router):
    old = offering(router, "s", TWICE, epoch=1)
    call, heard = begin(router, "dev.twice")
    new = offering(router, "s", TWICE, epoch=2)
    router.withdraw(old)
    assert (call.provider, new.link.sent) == (new, [call])
    router.responded(old, call.id, answer())
    assert (heard.ends, router.counters.stray) == ([], 1)
    router.failed(new, call.id, Unavailable("no"))
    assert heard.end == ("failed", "UNAVAILABLE")


def test_the_end_of_one_call_may_end_others_of_the_provider_that_leaves(router):
    first, second = offering(router, "a", QUERY, TWICE), provider("b")
    _, heard = begin(router, "dev.query")
    twice, heard_twice = begin(router, "dev.twice")
    heard.on_end = lambda call: router.abort(twice, Cancel.SKIP)
    router.offer(second, [(TWICE, TWICE.id)])
    router.withdraw(first)
    assert heard_twice.end == ("aborted", "ABORTED")
    assert (second.link.sent, second.calls, first.calls) == ([], {}, {})


def test_one_who_comes_late_takes_turns_and_does_not_catch_up(router):
    first = offering(router, "a", QUERY)
    for _ in range(10):
        call, _ = begin(router, "dev.query")
        router.responded(call.provider, call.id, answer())
    second = offering(router, "b", QUERY)
    for _ in range(10):
        call, _ = begin(router, "dev.query")
        router.responded(call.provider, call.id, answer())
    assert (len(first.link.sent), len(second.link.sent)) == (15, 5)


def test_offers_are_replaced_as_a_whole_and_leave_nothing_when_they_go(router):
    spokes = [provider(str(n)) for n in range(3)]
    for spoke in spokes:
        router.offer(spoke, [(QUERY, "own.query"), (definition(f"dev.{spoke.id}.x"), "own.x")])
    router.offer(spokes[0], [(STREAM, "own.query")])
    with pytest.raises(Conflict):
        begin(router, "own.query")
    for spoke in spokes:
        router.withdraw(spoke)
    assert router.offers.held == 0
    with pytest.raises(NotOffered):
        begin(router, "own.query")


# The hub leaves.


def test_a_hub_that_leaves_ends_every_call_once_and_begins_none(loop, router):
    spoke = offering(router, "s", QUERY)
    parent, heard = begin(router, "dev.query")
    _, heard_child = begin(router, "dev.query", parent)
    heard.on_end = lambda call: begin(router, "dev.query")
    router.close()
    assert (heard.ends[0].reason, heard_child.ends[0].reason) == (
        Reason.HUB_RESTART,
        Reason.PARENT,
    )
    assert len(spoke.link.aborts) == 2
    assert (router.held(), loop.armed) == (ZERO, [])


async def test_everybody_who_waits_for_quiet_hears_of_it():
    router = Router([Ledger()], Bounds())
    offering(router, "s", QUERY)
    call, _ = begin(router, "dev.query")
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(router.quiet()) for _ in range(2)]
        await asyncio.sleep(0)
        router.abort(call)
    assert [each.done() for each in waiting] == [True, True]
    router.close()
