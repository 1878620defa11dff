"""A wish that names several things is several wishes."""

import pytest

from hubbub.search.clauses import CLAUSES_MAX, clauses


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("refund the last order of a customer", []),
        (
            "find the newest order of a customer, then refund its whole payment",
            ["find the newest order of a customer", "refund its whole payment"],
        ),
        (
            "Book a flight to Oslo. Also reserve a hotel room there.",
            ["Book a flight to Oslo.", "reserve a hotel room there."],
        ),
        ("send a mail to a customer as well as a fax", []),  # a fax alone says too little
        ("", []),
    ],
)
def test_a_text_is_taken_apart_where_it_names_another_thing(text, parts):
    assert clauses(text) == parts


def test_clauses_have_a_bound():
    assert len(clauses("delete one old invoice. " * 50)) == CLAUSES_MAX
