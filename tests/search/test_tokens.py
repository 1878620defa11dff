"""Texts become the longest tokens that there are."""

import pytest

from hubbub.search import tokens
from hubbub.search.tokens import Tokens

VOCABULARY = ["read", "file", "##s", "github", "git", "hub", "cafe", "10"]


def told(text):
    return [VOCABULARY[id] for id in Tokens(VOCABULARY).ids(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("readFile", ["read", "file"]),
        ("read_files.10", ["read", "file", "##s", "10"]),
        ("GitHub", ["github"]),
        ("gitHubFile", ["git", "hub", "file"]),
        ("a Café", ["cafe"]),
        ("文件 read", ["read"]),
        ("readx", []),
        ("x" * 1000, []),
        ("", []),
    ],
)
def test_a_text_is_the_longest_tokens_there_are(text, found):
    assert told(text) == found


def test_what_is_remembered_has_a_bound(monkeypatch):
    monkeypatch.setattr(tokens, "KNOWN_MAX", 10)
    many = Tokens(VOCABULARY)
    for n in range(100):
        many.ids(f"file{n}")
        assert len(many._known) <= 10
    assert many.ids("readFile") == [0, 1]
