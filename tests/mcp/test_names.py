"""Names of tools of many servers, side by side."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hubbub.interfaces.mcp.names import NAME_CHARS_MAX, Named, published, qualified


def names(*tools, taken=()):
    """The names under which tools are shown, by server and own name."""
    given = [Named(f"{server}/{own}", server, own) for server, own in tools]
    return {key: name for name, key in published(given, taken).items()}


def test_a_name_that_only_one_server_has_stays_as_it_is():
    assert names(("a", "read"), ("b", "write")) == {"a/read": "read", "b/write": "write"}


def test_a_name_that_two_have_says_whose_it_is():
    assert names(("a", "read"), ("b", "read")) == {"a/read": "a__read", "b/read": "b__read"}


def test_what_clients_do_not_take_is_made_fit():
    assert names(("a", "read file/now!")) == {"a/read file/now!": "read_file_now_"}


def test_a_long_name_is_cut_and_marked_and_the_same_every_time():
    (name,) = names(("a", "x" * 100)).values()
    assert len(name) == NAME_CHARS_MAX
    assert {name} == set(names(("a", "x" * 100), ("b", "y")).values()) - {"y"}


def test_long_names_that_begin_alike_are_told_apart():
    found = names(("a", "x" * 100 + "1"), ("a", "x" * 100 + "2"))
    assert len(set(found.values())) == 2


def test_a_name_that_is_taken_is_not_given_away():
    assert names(("a", "find"), taken=["find"]) == {"a/find": "a__find"}


def test_a_name_cannot_be_had_by_looking_like_that_of_another():
    found = names(("a", "read"), ("b", "read"), ("c", "a__read"))
    assert found["c/a__read"] == "a__read"
    assert found["a/read"] != "a__read"


TEXT = st.text(st.sampled_from("ab_./ é"), min_size=1, max_size=60)


@given(st.sets(st.tuples(TEXT, TEXT), max_size=12))
def test_whatever_servers_have_everything_has_one_name_that_fits(tools):
    found = names(*tools)
    assert set(found) == {f"{server}/{own}" for server, own in tools} or len(found) < len(tools)
    assert len(set(found.values())) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,46}", name) for name in found.values())
    assert names(*sorted(tools, reverse=True)) == found


def test_the_name_that_says_whose_it_is_does_not_depend_on_others():
    assert qualified("a", "read") == "a__read"
