"""The index follows every change, and ranks the same way whatever came before."""

from hypothesis import given
from hypothesis import strategies as st

from hubbub.search.analysis import terms
from hubbub.search.words import Words

WORDS = st.sampled_from(["file", "read", "write", "list", "chat", "model", "Files", "readFile"])
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)
WEIGHTS = st.sampled_from([0.1, 0.5, 1.0, 3.0])
FIELDS = st.lists(st.tuples(TEXTS, WEIGHTS), max_size=3)
IDS = st.sampled_from("abcdef")
CHANGES = st.lists(st.tuples(IDS, st.none() | FIELDS), max_size=20)


def everything(id):
    return True


def changed(changes):
    words, known = Words(), {}
    for id, fields in changes:
        if fields is None:
            words.remove(id)
            known.pop(id, None)
        else:
            words.put(id, fields)
            known[id] = fields
    return words, known


@given(CHANGES, TEXTS)
def test_an_index_that_was_changed_is_as_good_as_a_new_one(changes, query):
    words, known = changed(changes)
    anew = Words()
    for id, fields in known.items():
        anew.put(id, fields)
    found, wanted = (each.find(query, 10, everything) for each in (words, anew))
    assert {hit.id: hit.matched for hit in found} == {hit.id: hit.matched for hit in wanted}
    scores = {hit.id: hit.score for hit in wanted}
    assert all(abs(hit.score - scores[hit.id]) < 1e-9 for hit in found)


@given(CHANGES)
def test_when_everything_is_removed_nothing_is_left(changes):
    words, known = changed(changes)
    for id in known:
        words.remove(id)
    assert (len(words), words._postings, words._terms, words._lengths) == (0, {}, {}, {})
    assert abs(words._total) < 1e-9


@given(CHANGES, TEXTS, st.integers(1, 6), st.sets(IDS))
def test_the_best_of_those_that_are_allowed_are_found(changes, query, limit, allowed):
    words, _ = changed(changes)
    ranked = words.find(query, 10, everything)
    found = words.find(query, limit, allowed.__contains__)
    assert found == [hit for hit in ranked if hit.id in allowed][:limit]
    assert ranked == sorted(ranked, key=lambda hit: (-hit.score, hit.id))


def test_no_more_are_asked_about_than_fill_the_page():
    words, asked = Words(), []
    for n in range(50):
        words.put(f"{n:02}", [("read a file", 1.0)])

    def allowed(id):
        asked.append(id)
        return id != "01"

    found = words.find("file", 2, allowed)
    assert [hit.id for hit in found] == ["00", "02"]
    assert asked == ["00", "01", "02"]


def test_equal_ones_are_ranked_by_id():
    words = Words()
    for id in "cab":
        words.put(id, [("read a file", 1.0)])
    assert [hit.id for hit in words.find("file", 2, everything)] == ["a", "b"]


def test_a_word_in_a_heavier_field_counts_more():
    words = Words()
    words.put("described", [("other", 3.0), ("read", 1.0)])
    words.put("named", [("read", 3.0), ("other", 1.0)])
    assert [hit.id for hit in words.find("read", 2, everything)] == ["named", "described"]


def test_what_is_too_long_to_be_a_word_is_not_kept():
    assert terms("read " + "x" * 1000 + " file") == ["read", "file"]
