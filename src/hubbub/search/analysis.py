"""From text to the terms under which it is found."""

import re
from functools import lru_cache
from typing import Final

WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
WORD_CHARS_MAX: Final = 64
"""What is longer is no word, and is not kept."""
_STOP: Final = frozenset(
    """
    a about all also am an and any are as at be been but by can could did do does for from had has
    have he her here his how i if in into is it its just may me might more most my no not of on or
    our out over please she should so some such than that the their them then there these they
    this those to too us very was we were what when where which who whom why will with would you
    your
    """.split()  # noqa: SIM905  # a list of words reads best as words
)


def terms(text: str) -> list[str]:
    """The terms of a text, in order: `dev.fs.readFile` gives dev, fs, read, file."""
    return [
        term
        for word in WORDS.findall(text)
        if len(word) <= WORD_CHARS_MAX and (term := _stem(word.lower())) and term not in _STOP
    ]


def asked(text: str) -> dict[str, str]:
    """The terms of a text, each with the word that it stands for: creating is asked as creat."""
    found: dict[str, str] = {}
    for word in WORDS.findall(text):
        for term in terms(word):
            found.setdefault(term, word)
    return found


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """A word without its commonest endings, the same for what is asked and what is found."""
    for ending, keep, put in (
        ("sses", 2, "ss"), ("ies", 2, "y"), ("ing", 4, ""), ("ed", 4, ""), ("es", 4, "e"),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) >= len(ending) + keep:
            word = word[: -len(ending)] + put
            break
    else:
        if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
            word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word
