"""Pages put end to end are the list, and a cursor that is none is told apart."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.kernel.errors import Invalid
from hubbub.kernel.paging import decode_cursor, decode_moment, encode_cursor, page_of

KEYS = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4)


@given(KEYS)
def test_a_cursor_says_what_it_was_made_of(keys):
    cursor = encode_cursor(*keys)
    assert decode_cursor(cursor, len(keys)) == keys
    assert cursor.isascii()
    assert "=" not in cursor


@given(KEYS, st.integers(0, 5))
def test_a_cursor_of_another_list_is_refused(keys, length):
    if length != len(keys):
        with pytest.raises(Invalid):
            decode_cursor(encode_cursor(*keys), length)


@given(st.text(max_size=30))
def test_whatever_is_given_is_a_cursor_or_invalid(text):
    for read in (lambda: decode_cursor(text, 1), lambda: decode_moment(text)):
        try:
            read()
        except Invalid as error:
            assert error.details["errors"][0]["field"] == "cursor"


@given(st.datetimes(timezones=st.just(UTC)), st.uuids().map(str))
def test_a_moment_comes_back_as_it_was(at, id):
    assert decode_moment(encode_cursor(at.isoformat(), id)) == (at, id)


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-02T03:04:05",
        "2026-01-02",
        "yesterday",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_a_moment_that_is_none_or_of_no_place_is_refused(at):
    with pytest.raises(Invalid):
        decode_moment(encode_cursor(at, "id"))


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_end_to_end_are_the_list(count, limit):
    rows = [f"{n:02}" for n in range(count)]
    seen, after = [], ""
    for _ in range(count + 1):
        page = page_of([row for row in rows if row > after][: limit + 1], limit, lambda row: (row,))
        seen += page.items
        if page.next_cursor is None:
            break
        (after,) = decode_cursor(page.next_cursor, 1)
    assert seen == rows


def test_now_is_a_moment():
    now = datetime.now(UTC)
    assert decode_moment(encode_cursor(now.isoformat(), "a"))[0] == now
