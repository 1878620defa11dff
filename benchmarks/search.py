"""Finding one of 10,000 operations: through a hub, and what the parts of it take."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.catalogue import OPERATIONS, QUERIES, fill, specs
from benchmarks.http import Client, request
from benchmarks.hubs import Hub, folder, sqlite
from benchmarks.peers import percentile
from benchmarks.tables import Budget, number, table
from hubbub.search.analysis import asked
from hubbub.search.documents import parameters_of, shares
from hubbub.search.index import Index, Part
from hubbub.search.model import Document
from hubbub.search.static import built_in
from hubbub.search.vectors import joined

PATH: Final = "/v1/operation/search"
LIMIT_MS: Final = 5.0
TEXTS_A_SECOND: Final = 5000
ROUNDS: Final = 5


async def run(*, quick: bool) -> tuple[dict[str, Any], list[Budget]]:
    """Queries one after the other, each as words and as sentences."""
    rounds, seconds = (2, 1.0) if quick else (3, 3.0)
    by_words = await _through_a_hub(rounds, seconds, embedder="none")
    by_both = await _through_a_hub(rounds, seconds)
    parts = await _parts()
    head = [f"search: among {OPERATIONS:,} operations", "CPU ms", "p50 ms", "first, s", "RSS, MB"]
    rows = [
        ["operation.search, by words", *map(number, by_words.values())],
        ["operation.search, by words and meaning", *map(number, by_both.values())],
    ]
    table("", head, rows)
    table("", ["parts", "measured"], [[what, number(each)] for what, each in parts.items()])
    return {"words": by_words, "both": by_both, "parts": parts}, [
        _budget("search among 10,000 by words", by_words["cpu_ms"]),
        _budget("search among 10,000 by words and meaning", by_both["cpu_ms"]),
        _budget("find among 10,000, without embedding the query", parts["find_ms"]),
        Budget(
            what="texts embedded by the model that comes with the hub",
            unit="texts/s",
            limit=TEXTS_A_SECOND,
            measured=parts["texts_a_second"],
            at_least=True,
        ),
    ]


async def _through_a_hub(rounds: int, seconds: float, **settings: object) -> dict[str, float]:
    with folder() as place, Hub(sqlite(place), **settings) as hub:
        await fill(hub)
        asked = [request(PATH, hub.key, json.dumps({"text": text}).encode()) for text in QUERIES]
        client = await Client.connect(hub.url, asked, 1)
        began = time.perf_counter()
        await client.load(1, 0)
        first_s = time.perf_counter() - began
        cpu_ms, p50_ms = [], []
        for _ in range(rounds):
            before = hub.cpu_s()
            load = await client.load(1, seconds)
            cpu_ms.append((hub.cpu_s() - before) / load.calls * 1e3)
            p50_ms.append(percentile(load.latencies, 0.5) * 1e3)
            assert not load.errors, f"{load.errors} of {load.calls} were refused"
        client.close()
        rss_mb = hub.rss_bytes() / 1e6
    return {
        "cpu_ms": min(cpu_ms),
        "p50_ms": percentile(p50_ms, 0.5),
        "first_s": first_s,
        "rss_mb": rss_mb,
    }


async def _parts() -> dict[str, float]:
    """In this process, on one core: what embeds, and what finds."""
    documents = [_document(spec) for spec in specs()]
    texts = [text for document in documents for text, _ in shares(document)]
    built_in()
    began = time.process_time()
    await built_in().embed(texts)
    texts_a_second = len(texts) / (time.process_time() - began)
    index = Index([built_in().id])
    for each in documents:
        index.put(each)
        vectors = [(built_in().vector(text), weight) for text, weight in shares(each)]
        index.put_vector(built_in().id, each.id, joined(vectors))
    ready = [_part(text) for text in QUERIES]

    def find(part: Part) -> None:
        index.find([part], 8, lambda id: True, model=built_in().id)

    return {
        "texts_a_second": texts_a_second,
        "find_ms": _least_ms(lambda: [find(part) for part in ready]),
        "find_and_embed_ms": _least_ms(lambda: [find(_part(text)) for text in QUERIES]),
    }


def _least_ms(work: Callable[[], object]) -> float:
    """CPU for one query, in the round that was disturbed least."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took) / len(QUERIES) * 1e3


def _part(text: str) -> Part:
    return Part(terms=asked(text), vector=built_in().vector(text))


def _document(spec: dict[str, Any]) -> Document:
    return Document(
        id=f"{spec['namespace']}.{spec['name']}",
        name=spec["name"],
        server=spec["namespace"],
        description=spec["description"],
        tags=tuple(spec["tags"]),
        parameters=parameters_of(spec["inputSchema"]),
    )


def _budget(what: str, measured: float) -> Budget:
    return Budget(what=what, unit="ms CPU", limit=LIMIT_MS, measured=measured)
