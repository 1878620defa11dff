"""The table of token vectors, learned: what belongs together comes near, and all else lies to each
other as the teacher has it.

The model is a sum of rows, so that all that can be learned is which way each token points and how
much it counts.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from embedder.sets import Question, Set, Tool, pairs, texts
from embedder.table import Table, shrunk
from embedder.teacher import Lesson, lesson, words
from hubbub.search.documents import shares
from hubbub.search.tokens import Tokens

DIMENSIONS: Final = 256
EPOCHS: Final = 8
BATCH: Final = 1024
RATE: Final = 2e-3
WARM_UP_STEPS: Final = 20
TEMPERATURE: Final = 0.05
TEACHER_TEMPERATURE: Final = 0.05
QUESTIONS_MAX: Final = 1500
"""Of one set, each epoch: one large set is not to drown the others."""
QUESTION_TIMES: Final = 1
COMMON: Final = 1e-3
"""The share of all tokens at which one counts half at first, as in SIF."""
TEXT_CHARS: Final = 1000
TEXT_TOKENS: Final = 160
FAR: Final = -1e4

Ids = NDArray[np.int64]
Parts = tuple[tuple[str, float], ...]
"""Texts that together make a vector, and how much each counts."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What is asked, and what should come near it."""

    asked: str
    found: Parts
    key: str
    others: frozenset[str] = frozenset()
    """Keys of what would be right as well, and so is not pushed away."""


def trained(sets: Sequence[Set], work: Path, *, seed: int = 0) -> Table:
    """Learn from these sets and from what the teacher said of them."""
    torch: Any = import_module("torch")
    torch.manual_seed(seed)
    chance = random.Random(seed)
    taught = _of_these(lesson(work), sets)
    student = _Student(torch, taught)
    corpus = [pair for each in sets for tool in each.tools for pair in _of_tool(tool)]
    asked = sum(min(len(each.questions), QUESTIONS_MAX) for each in sets)
    steps = EPOCHS * math.ceil((len(corpus) + QUESTION_TIMES * asked) / BATCH)
    print(f"{asked} questions, {len(corpus)} pairs, {len(taught.texts)} texts, {steps} steps")
    for step, batch in enumerate(_batches(sets, corpus, chance, steps)):
        some = chance.sample(range(len(taught.texts)), min(BATCH, len(taught.texts)))
        told = student.step(batch, some, _rate(step, steps))
        if step % 50 == 0:
            print(f"step {step} of {steps}: loss {told:.3f}", flush=True)
    return Table(tokens=taught.tokens, vectors=student.vectors())


class _Student:
    """The table while it learns."""

    def __init__(self, torch: Any, taught: Lesson) -> None:
        self._torch = torch
        self._tokens = Tokens(taught.tokens)
        self._ids: dict[str, Ids] = {}
        self._texts = taught.texts
        self._teacher = torch.from_numpy(taught.text_vectors.astype(np.float32))
        uses = np.ones(len(taught.tokens))
        for text in taught.texts:
            np.add.at(uses, self._of(text), 1)
        weight = COMMON / (COMMON + uses / uses.sum())
        rows = shrunk(taught.token_vectors, DIMENSIONS) * weight[:, np.newaxis]
        self._rows = torch.nn.Parameter(torch.tensor(rows, dtype=torch.float32))
        self._adam = torch.optim.Adam([self._rows])

    def step(self, batch: Sequence[Pair], texts: Sequence[int], rate: float) -> float:
        """Learn from some pairs and some texts; how wrong it still was."""
        for group in self._adam.param_groups:
            group["lr"] = rate
        loss = self._apart(batch) + self._alike(texts)
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return float(loss.detach())

    def vectors(self) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = self._rows.detach().numpy().copy()
        return rows

    def _apart(self, batch: Sequence[Pair]) -> Any:
        """Each should find its own among those of all others, and the other way round."""
        cross_entropy = self._torch.nn.functional.cross_entropy
        asked = self._bags([self._of(pair.asked) for pair in batch])
        near = asked @ self._joined([pair.found for pair in batch]).T / TEMPERATURE
        near = near.masked_fill(self._torch.from_numpy(_right_as_well(batch)), FAR)
        own = self._torch.arange(len(batch))
        return (cross_entropy(near, own) + cross_entropy(near.T, own)) / 2

    def _alike(self, texts: Sequence[int]) -> Any:
        """Which texts are how near to which should be as the teacher has it."""
        torch, functional = self._torch, self._torch.nn.functional
        itself = torch.eye(len(texts), dtype=torch.bool)
        taught = self._teacher[texts]
        wanted = (taught @ taught.T / TEACHER_TEMPERATURE).masked_fill(itself, FAR)
        mine = self._bags([self._of(self._texts[at]) for at in texts])
        near = (mine @ mine.T / TEACHER_TEMPERATURE).masked_fill(itself, FAR)
        wrong = functional.softmax(wanted, 1) * functional.log_softmax(near, 1)
        return -wrong.sum(1).mean()

    def _joined(self, found: Sequence[Parts]) -> Any:
        """The vectors of documents, as `hubbub.search` makes them of their parts."""
        most = max(map(len, found))
        whole: Any = 0
        for at in range(most):
            part = [each[at] if at < len(each) else ("", 0.0) for each in found]
            weights = self._torch.tensor([[weight] for _, weight in part])
            whole = whole + weights * self._bags([self._of(text) for text, _ in part])
        return self._torch.nn.functional.normalize(whole, dim=1)

    def _bags(self, texts: Sequence[Ids]) -> Any:
        functional = self._torch.nn.functional
        offsets = np.cumsum([0, *map(len, texts)])[:-1]
        flat = self._torch.from_numpy(np.concatenate(texts))
        sums = functional.embedding_bag(
            flat, self._rows, self._torch.from_numpy(offsets), mode="sum"
        )
        return functional.normalize(sums, dim=1)

    def _of(self, text: str) -> Ids:
        ids = self._ids.get(text)
        if ids is None:
            found = self._tokens.ids(text[:TEXT_CHARS])[:TEXT_TOKENS]
            ids = self._ids[text] = np.array(found, np.int64)
        return ids


def _of_these(taught: Lesson, sets: Sequence[Set]) -> Lesson:
    """What the teacher said of these sets alone: of others not even a word is known."""
    here = set(texts(sets))
    at = [at for at, text in enumerate(taught.texts) if text in here]
    kept = set(words(sets, set(taught.tokens[: taught.pieces])))
    rows = [at for at, token in enumerate(taught.tokens) if at < taught.pieces or token in kept]
    return Lesson(
        tokens=[taught.tokens[row] for row in rows],
        pieces=taught.pieces,
        token_vectors=taught.token_vectors[rows],
        texts=[taught.texts[each] for each in at],
        text_vectors=taught.text_vectors[at],
    )


def _of_tool(tool: Tool) -> Iterator[Pair]:
    for asked, found in pairs(tool):
        if asked.strip() and found.strip():
            yield Pair(asked=asked, found=((found, 1.0),), key=found)


def _of_question(question: Question, chance: random.Random) -> Pair:
    """One tool that answers it, another each time."""
    tool = chance.choice(chance.choice(question.gold))
    keys = frozenset(tool.key for group in question.gold for tool in group)
    return Pair(asked=question.text, found=tuple(shares(tool.document)), key=tool.key, others=keys)


def _batches(
    sets: Sequence[Set], corpus: Sequence[Pair], chance: random.Random, steps: int
) -> Iterator[list[Pair]]:
    """Questions and pairs, mixed anew each epoch."""
    left = steps
    while left:
        pool = list(corpus)
        for each in sets:
            questions = [question for question in each.questions if all(question.gold)]
            some = chance.sample(questions, min(len(questions), QUESTIONS_MAX))
            pool += [_of_question(question, chance) for question in some * QUESTION_TIMES]
        chance.shuffle(pool)
        for start in range(0, len(pool) - BATCH // 2, BATCH):
            if left:
                left -= 1
                yield pool[start : start + BATCH]


def _right_as_well(batch: Sequence[Pair]) -> NDArray[np.bool_]:
    """Where a pair's own question is answered by what belongs to another pair of the batch."""
    mask = np.zeros((len(batch), len(batch)), np.bool_)
    of_key, of_asked = _places(batch, "key"), _places(batch, "asked")
    for at, pair in enumerate(batch):
        for key in {pair.key, *pair.others}:
            mask[at, of_key.get(key, [])] = True
        same = of_asked[pair.asked]
        mask[at, same] = True
    np.fill_diagonal(mask, val=False)
    return mask


def _places(batch: Sequence[Pair], name: str) -> Mapping[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, pair in enumerate(batch):
        places.setdefault(getattr(pair, name), []).append(at)
    return places


def _rate(step: int, steps: int) -> float:
    """Up at first, then down along half a wave."""
    return RATE * min(1, (step + 1) / WARM_UP_STEPS) * (1 + math.cos(math.pi * step / steps)) / 2
