"""What is found is the best of what may be found, with its reasons, whatever changed before."""

import asyncio

import numpy as np
import pytest

from hubbub.search.analysis import asked
from hubbub.search.index import Index, Part
from hubbub.search.model import Document
from hubbub.search.static import built_in

MODEL = built_in().id


def everything(id):
    return True


def meant(text):
    return built_in().vector(text)


def part(text):
    return Part(terms=asked(text), vector=meant(text))


def put(index, id, name, description=""):
    index.put(Document(id=id, name=name, description=description))
    index.put_vector(MODEL, id, meant(f"{name} {description}"))


def ids(hits):
    return [hit.id for hit in hits]


def found(index, text, limit=10, allowed=everything, **more):
    return index.find([part(text)], limit, allowed, model=MODEL, **more)


@pytest.fixture
def index():
    return Index([MODEL])


def test_a_document_says_by_what_it_was_found(index):
    put(index, "mail", "sendMail", "Send an electronic letter.")
    put(index, "tune", "tuneViolin", "Tune a violin.")
    (mail,) = found(index, "send a letter", limit=1)
    assert (mail.id, mail.matched, mail.score) == ("mail", ("send", "letter"), 1.0)
    assert mail.meaning is not None and mail.meaning > 0.5


def test_what_shares_no_word_is_found_by_its_meaning(index):
    put(index, "delete", "deleteFile", "Delete a file.")
    put(index, "weather", "getForecast", "The weather of the next days.")
    hits = found(index, "erase documents")
    assert (hits[0].id, hits[0].matched) == ("delete", ())


def test_words_alone_are_compared_without_a_model(index):
    put(index, "delete", "deleteFile", "Delete a file.")
    assert index.find([part("erase documents")], 10, everything) == []
    (hit,) = index.find([part("a file")], 10, everything)
    assert (hit.id, hit.matched, hit.meaning) == ("delete", ("file",), None)


@pytest.mark.parametrize("by", ["words", "meaning", "both"])
def test_what_is_filtered_takes_no_place_of_what_is_not(index, by):
    for n in range(100):
        put(index, f"group{n % 10}/{n:02}", "createIssue", f"Create issue {n}.")
    hits = found(index, "create an issue", 8, lambda id: id.startswith("group7"), by=by)
    assert len(hits) == 8
    assert all(id.startswith("group7") for id in ids(hits))


def test_what_may_not_be_found_moves_nothing(index):
    put(index, "a", "readFile", "Read a file.")
    put(index, "b", "readMail", "Read the mail of somebody.")
    alone = Index([MODEL])
    put(alone, "a", "readFile", "Read a file.")
    put(alone, "b", "readMail", "Read the mail of somebody.")
    put(index, "secret", "readSecretFile", "Read a secret file of files.")
    hidden = found(index, "read file", allowed=lambda id: id != "secret")
    assert ids(hidden) == ids(found(alone, "read file"))
    assert hidden[0].score == 1.0


def test_one_more_word_finds_no_less(index):
    for n in range(20):
        put(index, f"{n:02}", "createGithubIssue", f"Create issue {n} on GitHub.")
    some = found(index, "github create issue", 8)
    more = found(index, "github create issue data", 8)
    assert (len(some), len(more)) == (8, 8)


def test_hits_come_by_their_scores_and_equal_ones_by_id(index):
    for id in "cab":
        put(index, id, "readFile", "Read a file.")
    put(index, "best", "readFile", "Read a file from a folder.")
    hits = found(index, "read a file from a folder")
    assert ids(hits) == ["best", "a", "b", "c"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_pages_go_on_where_the_last_one_ended(index):
    for n in range(25):
        put(index, f"{n:02}", "readFile", "Read a file." if n % 2 else "Read a file there.")
    whole, paged = found(index, "read a file", 100), []
    after = None
    while page := found(index, "read a file", 4, after=after):
        paged += page
        after = (page[-1].score, page[-1].id)
    assert paged == whole
    assert len(whole) == 25


def test_clauses_lift_what_one_of_them_wants(index):
    put(index, "order", "findOrder", "Find the newest order of a customer.")
    put(index, "refund", "refundPayment", "Refund a payment.")
    put(index, "both", "findCustomerOfOrder", "Find customer of an order.")
    query = "find the newest order of a customer"
    parts = [part(f"{query} and then refund its payment"), part(query), part("refund a payment")]
    hits = index.find(parts, 2, everything, model=MODEL)
    assert sorted(ids(hits)) == ["order", "refund"]


def test_what_was_removed_leaves_nothing(index):
    for n in range(10):
        put(index, str(n), f"readFile{n}", "Read a file.")
    for n in range(10):
        index.remove(str(n))
        index.remove(str(n))
    vectors = index._vectors[MODEL]
    assert (len(index), index._slots, index._words._postings) == (0, {}, {})
    assert not np.any(vectors._rows)
    assert found(index, "read a file") == []
    put(index, "new", "readFile", "Read a file.")
    assert (ids(found(index, "read a file")), len(index._ids)) == (["new"], 10)


def test_one_change_is_one_row(index):
    for n in range(10):
        put(index, str(n), "readFile", f"Read file {n}.")
    before = index._vectors[MODEL]._rows.copy()
    put(index, "4", "sendMail", "Send a mail.")
    (changed,) = np.nonzero((index._vectors[MODEL]._rows != before).any(axis=1))
    assert (list(changed), ids(found(index, "send mail", 1))) == ([index._slots["4"]], ["4"])


def test_the_order_does_not_depend_on_what_came_before():
    """Databases hand over their rows as they like."""
    documents = [
        (f"{n:02}", f"readFile{n % 7}", f"Read {n % 5} files of {n % 3}.") for n in range(40)
    ]
    one, other = Index([MODEL]), Index([MODEL])
    for each in documents:
        put(one, *each)
    for each in documents[::-1]:
        put(other, f"x{each[0]}", "other")
        put(other, *each)
        other.remove(f"x{each[0]}")
    assert found(one, "read files", 40) == found(other, "read files", 40)


def test_an_empty_query_finds_nothing(index):
    put(index, "a", "readFile", "Read a file.")
    assert (found(index, ""), found(index, "???"), index.find([], 10, everything)) == ([], [], [])


def test_the_hubs_own_model_needs_no_more_than_its_files():
    vectors = asyncio.run(built_in().embed(["read a file", "", "文件"]))
    assert [len(each) for each in vectors] == [4 * built_in().dimensions] * 3
    whole, empty, foreign = (np.frombuffer(each, "<f4") for each in vectors)
    assert (round(float(whole @ whole), 3), empty.any(), foreign.any()) == (1.0, False, False)
