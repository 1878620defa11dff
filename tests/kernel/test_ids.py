"""Ids that grow with time."""

import uuid
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.kernel import ids
from hubbub.kernel.ids import new_id, sortable_id


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=20), st.integers(0, 2**30))
def test_ids_are_sorted_as_the_milliseconds_in_which_they_were_made(moments, first):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_counter", count(first))
        made = []
        for ms in moments:
            patch.setattr(ids.time, "time_ns", lambda ms=ms: ms * 1_000_000)
            made.append((sortable_id(), ms))
    assert [ms for _, ms in sorted(made)] == sorted(moments)
    for id, ms in made:
        read = uuid.UUID(id)
        assert (str(read), read.version, read.int >> 80) == (id, 7, ms)
        assert read.variant == uuid.RFC_4122


def test_ids_of_one_moment_differ_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(ids, "_counter", count(0))
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_700_000_000_000_000_000)
    made = [sortable_id() for _ in range(100_000)]
    assert made == sorted(set(made))


def test_new_ids_are_random():
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {uuid.UUID(id).version for id in made} == {4}
