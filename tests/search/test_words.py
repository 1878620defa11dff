"""The index follows every change, and ranks the same way whatever came before."""

from hypothesis import given
from hypothesis import strategies as st

from hubbub.search.analysis import terms
from hubbub.search.words import Words

WORDS = st.sampled_from(["file", "read", "write", "list", "chat", "model", "Files", "readFile"])
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)
WEIGHTS = st.sampled_from([0.1, 0.5, 1.0, 3.0])
FIELDS = st.lists(st.tuples(TEXTS, WEIGHTS), max_size=3)
SLOTS = st.integers(0, 5)
CHANGES = st.lists(st.tuples(SLOTS, st.none() | FIELDS), max_size=20)


def changed(changes):
    words, known = Words(), {}
    for slot, fields in changes:
        if fields is None:
            words.remove(slot)
            known.pop(slot, None)
        else:
            words.put(slot, fields)
            known[slot] = fields
        words.scores(["file"], 6)  # what was asked before must not be remembered as it was
    return words, known


@given(CHANGES, TEXTS)
def test_an_index_that_was_changed_is_as_good_as_a_new_one(changes, query):
    words, known = changed(changes)
    anew = Words()
    for slot, fields in known.items():
        anew.put(slot, fields)
    asked = {term: term for term in terms(query)}
    assert abs(words.scores(asked, 6) - anew.scores(asked, 6)).max() < 1e-5
    for slot in range(6):
        assert words.matched(asked, slot) == anew.matched(asked, slot)


@given(CHANGES)
def test_when_everything_is_removed_nothing_is_left(changes):
    words, known = changed(changes)
    for slot in known:
        words.remove(slot)
    assert (words._postings, words._arrays, words._terms) == ({}, {}, {})
    assert (sum(words._lengths), round(words._total, 4)) == (0, 0)


def test_a_word_in_a_heavier_field_counts_more():
    words = Words()
    words.put(0, [("other", 3.0), ("read", 1.0)])
    words.put(1, [("read", 3.0), ("other", 1.0)])
    described, named = words.scores(["read"], 2)
    assert named > described > 0


def test_what_is_too_long_to_be_a_word_is_not_kept():
    assert terms("read " + "x" * 1000 + " file") == ["read", "file"]
