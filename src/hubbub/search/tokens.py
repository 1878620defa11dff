"""From text to the rows of a table of vectors: whole words where it has them, else pieces."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from hubbub.search.analysis import WORDS

_RUNS: Final = re.compile(r"[^\W_]+")
RUN_CHARS_MAX: Final = 64
"""What is longer is no word, and says nothing."""
KNOWN_MAX: Final = 100_000
"""Words whose pieces are remembered. Where there are more, all are forgotten."""


class Tokens:
    """A vocabulary. A piece within a word begins with `##`."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._ids = {token: id for id, token in enumerate(vocabulary)}
        self._longest = max(map(len, self._ids), default=0)
        self._known: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, in order. What has none is passed over."""
        found: list[int] = []
        known = self._known
        for run in _RUNS.findall(text):
            ids = known.get(run)
            found += self._learned(run) if ids is None else ids
        return found

    def _learned(self, run: str) -> tuple[int, ...]:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        ids = self._known[run] = tuple(self._of_run(run)) if len(run) <= RUN_CHARS_MAX else ()
        return ids

    def _of_run(self, run: str) -> Sequence[int]:
        """GitHub is a word of its own; readFile is two."""
        plain = _plain(run)
        whole = self._ids.get(plain.lower())
        if whole is not None:
            return [whole]
        return [id for word in WORDS.findall(plain) for id in self._of_word(word.lower())]

    def _of_word(self, word: str) -> list[int]:
        """The longest pieces there are, from the left; none if they do not make up the word."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                id = self._ids.get(prefix + word[start:end])
                if id is not None:
                    break
            else:
                return []
            pieces.append(id)
            start = end
        return pieces


def _plain(text: str) -> str:
    """Without accents, which the vocabulary does not have."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
