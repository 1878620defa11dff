"""A hub that searches by another model, from its settings to its answers."""

import asyncio

import anyio
import pytest

from hubbub.kernel.errors import Invalid
from tests.support.embedders import served_model
from tests.support.hub import PATIENCE_S
from tests.support.peer import spec


async def state(call, serving):
    """What the chosen model says of itself, once it serves or does not."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            chosen, own = (await call("operation.searchState"))["models"]
            assert chosen["serving"] is not own["serving"]
            if chosen["serving"] is serving is (chosen["embedded"] == chosen["total"]):
                return chosen


async def test_a_model_that_the_settings_choose_reads_the_catalogue_once(serve, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text("secret\n")
    async with served_model() as model:
        chosen = {
            "embedder": model.url,
            "embedder_model": "some-model",
            "embedder_key_file": str(key_file),
        }
        async with serve(**chosen) as hub:
            await hub.spoke("laptop", spec("dev.toys", "erase", description="Delete a picture"))
            told = await state(hub.door(), True)
            assert (told["model"], told["problem"]) == (f"{model.url}#some-model", None)
            page = await hub.door()("operation.search", text="delete an image", limit=1)
            assert page["items"][0]["id"].endswith(".erase")
            assert page["note"] is None
        texts = [text for text in model.texts if text not in ("hub", "delete an image")]
        assert len(texts) == len(set(texts)) == told["total"]
        assert set(model.keys) == {"Bearer secret"}
        async with serve(**chosen) as hub:
            await state(hub.door(), True)
        assert [text for text in model.texts if text not in ("hub", "delete an image")] == texts


async def test_a_hub_whose_model_is_away_starts_finds_and_says_so(serve):
    async with serve(embedder="http://127.0.0.1:1/v1", embedder_model="m") as hub:
        call = hub.door()
        page = await call("operation.search", text="make an account", limit=1)
        assert [hit["id"] for hit in page["items"]] == ["account.create"]
        assert "http://127.0.0.1:1/v1#m" in page["note"]
        with anyio.fail_after(PATIENCE_S):
            while (await state(call, False))["problem"] is None:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)


async def test_a_hub_may_compare_words_alone(serve):
    async with serve(embedder="none") as hub:
        page = await hub.door()("operation.search", text="make an account", limit=1)
        (hit,) = page["items"]
        assert (hit["id"], hit["meaning"], page["note"]) == ("account.create", None, None)
        assert (await hub.door()("operation.searchState"))["models"] == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_choice_that_is_none_stops_the_start(serve):
    with pytest.raises(Invalid) as refused:
        async with serve(embedder="https://example.org/v1"):
            pass
    assert [each["field"] for each in refused.value.details["errors"]] == ["embedder_model"]
