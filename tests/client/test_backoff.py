"""How long to wait is bounded, and spread over the whole of the bound."""

from hypothesis import given
from hypothesis import strategies as st

from hubbub.client.backoff import RECONNECT, Backoff, hint_ms

SECONDS = st.floats(min_value=0, max_value=1e6)
CHANCE = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(SECONDS, SECONDS, st.integers(0, 10**9), st.integers(0, 3_600_000), CHANCE)
def test_a_delay_is_never_less_than_asked_for_nor_over_the_bound(base, most, n, hint, chance):
    delay_s = Backoff(base_s=base, delay_s_max=most).delay_s(n, hint, lambda: chance)
    assert hint / 1000 <= delay_s <= hint / 1000 + min(most, base * 2.0 ** min(n, 64))


@given(st.integers(0, 100))
def test_full_jitter_reaches_from_nothing_to_the_whole_ceiling(failures):
    ceiling = min(30.0, 0.5 * 2.0**failures)
    assert RECONNECT.delay_s(failures, chance=lambda: 0.0) == 0
    assert RECONNECT.delay_s(failures, chance=lambda: 0.5) == ceiling / 2


@given(st.integers(0, 99), CHANCE)
def test_it_never_shrinks_with_failures(failures, chance):
    sooner = RECONNECT.delay_s(failures, chance=lambda: chance)
    assert sooner <= RECONNECT.delay_s(failures + 1, chance=lambda: chance)


@given(
    st.dictionaries(st.just("retryAfterMs"), st.none() | st.text() | st.floats() | st.integers())
)
def test_whatever_a_refusal_says_the_hint_is_a_delay(details):
    assert 0 <= hint_ms(details) <= 3_600_000
