"""Searching goes on while models read, fail and come back, and says so."""

import asyncio
from datetime import UTC, datetime, timedelta

import anyio
import numpy as np
import pytest
from sqlalchemy import func, select, update

from hubbub.app import open_database
from hubbub.kernel.errors import HubError, Invalid, Unavailable
from hubbub.kernel.events import Bus
from hubbub.search import finding, store
from hubbub.search.choosing import Choice, made
from hubbub.search.endpoint import EndpointEmbedder, lengthened
from hubbub.search.finding import Search
from hubbub.search.model import Asked, Document
from hubbub.search.remembering import Remembering
from hubbub.search.static import built_in
from hubbub.search.tables import embeddings
from hubbub.search.vectors import read
from tests.support.embedders import served_model
from tests.support.hub import PATIENCE_S

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DOCUMENTS = [
    Document(id="delete", name="deleteFile", description="Delete a file."),
    Document(id="weather", name="getForecast", description="The weather of the next days."),
]


@pytest.fixture
async def served():
    async with served_model() as model:
        yield model


@pytest.fixture
async def database(database_url):
    database = await open_database(database_url, Bus())
    yield database
    await database.close()


def embedder(served, **more):
    return EndpointEmbedder(served.url, "some-model", **more)


def filled(chosen=None, **more):
    search = Search(chosen, **more)
    for document in DOCUMENTS:
        search.put(document)
    return search


async def found(search, text="erase documents", **more):
    answer = await search.find(Asked(text=text, **more), 10, lambda id: True)
    return [hit.id for hit in answer.hits], answer.note


async def until(true):
    with anyio.fail_after(PATIENCE_S):
        while not true():  # noqa: ASYNC110  # nobody tells when a model has read on
            await asyncio.sleep(0)


async def count(database):
    async with database.reading() as tx:
        return (await tx.execute(select(func.count()).select_from(embeddings))).scalar()


async def test_the_hubs_own_model_is_there_at_once():
    assert await found(filled()) == (["delete"], None)


async def test_without_a_model_words_are_compared_and_nothing_is_hidden():
    search = filled(by_meaning=False)
    assert await found(search) == ([], None)
    assert await found(search, "a file") == (["delete"], None)
    assert search.progress() == []


async def test_words_that_are_asked_for_besides_count_like_those_of_the_text():
    search = filled()
    ids, _ = await found(search, "", keywords="forecast", by="words")
    assert ids == ["weather"]


async def test_while_a_new_model_reads_the_old_one_serves(served):
    served.open.clear()
    search = filled(embedder(served))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(search.run)
        ids, note = await found(search)
        assert ids == ["delete"]
        assert note is not None and "2 of 2" in note
        states = [(each.embedded, each.total, each.serving) for each in search.progress()]
        assert states == [(0, 2, False), (2, 2, True)]
        served.open.set()
        await until(lambda: search.progress()[0].serving)
        assert await found(search) == (["delete"], None)
        assert search.progress()[0].embedded == 2
        tasks.cancel_scope.cancel()


async def test_what_changes_is_read_and_nothing_else(served):
    search = filled(embedder(served))
    await search.catch_up()
    read_before = len(served.texts)
    search.put(Document(id="weather", name="sendMail", description="Send a letter."))
    await search.catch_up()
    assert (read_before, len(served.texts)) == (2, 3)
    ids, _ = await found(search, "post a letter")
    assert ids[0] == "weather"


async def test_what_goes_while_it_is_read_stays_gone(served):
    search = filled(embedder(served))
    served.open.clear()
    reading = asyncio.ensure_future(search.catch_up())
    await asyncio.sleep(0)
    search.remove("delete")
    served.open.set()
    await reading
    assert await found(search) == ([], None)


@pytest.mark.parametrize("trouble", ["status", "answer", "nobody"])
async def test_a_model_that_fails_is_told_of_and_what_there_is_is_found(served, trouble):
    search = filled(embedder(served))
    await search.catch_up()
    if trouble == "status":
        served.status = 500
    elif trouble == "answer":
        served.answer = {"data": [{"index": 0, "embedding": [1, 2]}]}
    else:
        search._chosen._embedder._url = "http://127.0.0.1:1/v1/embeddings"
    ids, note = await found(search)
    assert ids == ["delete"]
    assert note is not None and "some-model cannot be asked" in note
    served.status, served.answer = 200, None


async def test_a_model_that_is_too_slow_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(finding, "QUERY_S", 0.01)
    search = filled(embedder(served))
    await search.catch_up()
    served.open.clear()
    ids, note = await found(search)
    assert (ids, "no vectors in time" in str(note)) == (["delete"], True)


async def test_a_model_that_comes_back_reads_on(served, monkeypatch):
    monkeypatch.setattr(finding, "RETRY_S", (0.001, 0.01))
    served.status = 503
    search = filled(embedder(served))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(search.run)
        await until(lambda: search.progress()[0].problem is not None)
        assert "cannot be asked" in str((await found(search))[1])
        served.status = 200
        await until(lambda: search.progress()[0].serving)
        assert (search.progress()[0].problem, (await found(search))[1]) == (None, None)
        tasks.cancel_scope.cancel()


async def test_a_text_is_read_once_even_over_a_restart(served, database):
    for _ in range(2):
        search = filled(Remembering(embedder(served), database, lambda: NOW))
        await search.catch_up()
        ids, _ = await found(search)
        assert ids == ["delete"]
    texts = [text for text in served.texts if text != "hub"]
    assert len([text for text in texts if text.startswith(".")]) == len(DOCUMENTS)
    assert len(texts) == len(set(texts))


async def test_what_is_kept_and_cannot_be_read_is_made_anew(served, database):
    remembering = Remembering(embedder(served), database, lambda: NOW)
    (vector,) = await remembering.embed(["a text"])

    async def spoil(tx):
        await tx.execute(update(embeddings).values(vector=vector + vector))

    await database.write(spoil)
    assert await remembering.embed(["a text"]) == [vector]
    assert served.texts.count("a text") == 2
    assert await remembering.embed(["a text", "a text"]) == [vector, vector]
    assert served.texts.count("a text") == 2


async def test_another_model_reads_what_the_one_before_it_read(served, database):
    one = Remembering(EndpointEmbedder(served.url, "one"), database, lambda: NOW)
    other = Remembering(EndpointEmbedder(served.url, "other"), database, lambda: NOW)
    await one.embed(["a text"])
    await other.embed(["a text"])
    assert (served.texts.count("a text"), await count(database)) == (2, 2)


async def test_what_nobody_uses_any_more_goes(served, database):
    await Remembering(embedder(served), database, lambda: NOW).embed(["old", "used"])
    later = NOW + timedelta(days=store.UNUSED_DAYS + 1)
    await Remembering(embedder(served), database, lambda: later).embed(["used"])
    assert await count(database) == 1


async def test_a_key_is_read_from_its_file(served, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text("secret\n")
    asked = embedder(served, key_file=key_file)
    await asked.embed(["a"])
    key_file.write_text("another")
    await asked.embed(["a"])
    key_file.unlink()
    with pytest.raises(Unavailable) as refused:
        await asked.embed(["a"])
    assert served.keys == ["Bearer secret", "Bearer another"]
    assert refused.value.details == {"file": str(key_file)}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": ["one"]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
    ],
)
async def test_what_is_no_vector_is_refused(served, answer):
    served.answer = answer
    with pytest.raises(Unavailable):
        await embedder(served).embed(["a"])


def test_numbers_of_another_kind_become_float32():
    (row,) = lengthened(np.array([[3.0, 4.0]], np.float64))
    assert (row.dtype, row.tolist()) == (np.dtype("<f4"), [0.6000000238418579, 0.800000011920929])
    for data in (row.astype("<f8").tobytes(), row.tobytes()[:4], b""):
        with pytest.raises(Unavailable):
            read(data, 2)
    with pytest.raises(Unavailable):
        read(np.array([np.nan, 1.0], "<f4").tobytes(), 2)


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (Choice(embedder="https://example.org/v1"), "embedder_model"),
        (Choice(embedder="something", model="m"), "embedder"),
        (Choice(embedder="ftp://example.org", model="m"), "embedder"),
    ],
)
def test_a_choice_that_is_none_is_refused(choice, field):
    with pytest.raises(Invalid) as refused:
        made(choice)
    assert [each["field"] for each in refused.value.details["errors"]] == [field]


def test_a_model_on_this_machine_is_never_fetched():
    try:
        chosen = made(Choice(embedder="fastembed", model="BAAI/bge-small-en-v1.5"))
    except Invalid as error:  # the package is not here
        assert [each["field"] for each in error.details["errors"]] == ["embedder"]
    else:
        with pytest.raises(HubError):
            asyncio.run(chosen.embed(["a"]))


def test_the_built_in_model_is_read_once():
    assert built_in() is built_in()
