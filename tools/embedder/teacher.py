"""What all-MiniLM-L6-v2 says of every token and of every text, asked once and kept in a folder."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from embedder.sets import Set, texts
from hubbub.search.analysis import WORDS
from hubbub.search.documents import text

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as sentence-transformers publishes it under the Apache License 2.0."""
BATCH: Final = 128
TEXT_TOKENS_MAX: Final = 96
WORD_USES_MIN: Final = 4
WORD_SETS_MIN: Final = 2
"""What is a word in one set alone is mostly a name, and in its pieces it is learned better."""
_PIECE: Final = re.compile(r"(##)?[a-z0-9]+")
_RUN: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(r"[a-z][a-z0-9]{2,23}")


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the teacher said."""

    tokens: list[str]
    """The teacher's own pieces first, then words."""
    pieces: int
    token_vectors: NDArray[np.float16]
    texts: list[str]
    text_vectors: NDArray[np.float16]


def teach(sets: Sequence[Set], model: Path, work: Path) -> None:
    """Ask the teacher in the folder `model`, and keep what it says in `work`."""
    weights = (model / "model.safetensors").read_bytes()
    if hashlib.sha256(weights).hexdigest() != WEIGHTS_SHA256:
        raise SystemExit(f"{model} does not hold the teacher's published weights")
    loaded: Any = import_module("sentence_transformers").SentenceTransformer(
        str(model), device="cpu"
    )
    loaded.max_seq_length = TEXT_TOKENS_MAX
    pieces = [
        piece
        for piece in (model / "vocab.txt").read_text("utf-8").split("\n")
        if _PIECE.fullmatch(piece)
    ]
    tokens = pieces + words(sets, set(pieces))
    asked = texts(sets)
    work.mkdir(parents=True, exist_ok=True)
    (work / "lesson.json").write_text(
        json.dumps({"tokens": tokens, "pieces": len(pieces), "texts": asked})
    )
    np.save(work / "tokens.npy", _of_tokens(loaded, tokens, len(pieces)))
    np.save(work / "texts.npy", _of_texts(loaded, asked))


def lesson(work: Path) -> Lesson:
    """What was kept."""
    told = json.loads((work / "lesson.json").read_text())
    return Lesson(
        tokens=told["tokens"],
        pieces=told["pieces"],
        token_vectors=np.load(work / "tokens.npy"),
        texts=told["texts"],
        text_vectors=np.load(work / "texts.npy"),
    )


def words(sets: Iterable[Set], known: set[str]) -> list[str]:
    """Words of tools that are no single piece, and are used often enough to have a row."""
    uses: Counter[str] = Counter()
    spread: Counter[str] = Counter()
    for each in sets:
        here: Counter[str] = Counter()
        for tool in each.tools:
            here.update(_words(f"{text(tool.document)} {tool.document.name}"))
        for question in each.questions:
            here.update(_words(question.text))
        uses += here
        spread.update(here.keys())
    often = [
        word
        for word, count in uses.items()
        if count >= WORD_USES_MIN and spread[word] >= WORD_SETS_MIN and word not in known
    ]
    return sorted(often, key=lambda word: (-uses[word], word))


def _words(text: str) -> set[str]:
    found = {each.lower() for each in (*_RUN.findall(text), *WORDS.findall(text))}
    return {each for each in found if _WORD.fullmatch(each)}


def _of_tokens(loaded: Any, tokens: Sequence[str], pieces: int) -> NDArray[np.float16]:
    """The mean over each token as a text of its own; a piece is taken for what it is."""
    torch: Any = import_module("torch")
    transformer, tokenizer = loaded[0].auto_model, loaded.tokenizer
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = [
        [begin, tokenizer.convert_tokens_to_ids(token), end]
        if at < pieces
        else tokenizer(token)["input_ids"]
        for at, token in enumerate(tokens)
    ]
    vectors = np.zeros((len(tokens), transformer.config.hidden_size), np.float16)
    for batch in _batches(ids):
        longest = max(len(ids[at]) for at in batch)
        padded = torch.tensor([ids[at] + [0] * (longest - len(ids[at])) for at in batch])
        mask = torch.tensor([[1] * len(ids[at]) + [0] * (longest - len(ids[at])) for at in batch])
        with torch.inference_mode():
            hidden = transformer(input_ids=padded, attention_mask=mask).last_hidden_state
        vectors[batch] = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return vectors


def _of_texts(loaded: Any, asked: Sequence[str]) -> NDArray[np.float16]:
    vectors = np.zeros((len(asked), loaded.get_sentence_embedding_dimension()), np.float16)
    for batch in _batches(asked):
        vectors[batch] = loaded.encode(
            [asked[at] for at in batch], batch_size=BATCH, normalize_embeddings=True
        )
    return vectors


def _batches(items: Sequence[Any]) -> Iterable[list[int]]:
    """Those of like length together."""
    order = sorted(range(len(items)), key=lambda at: len(items[at]))
    return (order[start : start + BATCH] for start in range(0, len(order), BATCH))
