"""What holds a secret is not recorded, whichever way it was called."""

import msgspec
from msgspec import Raw

from hubbub.app import opened
from hubbub.calls.model import Ask
from hubbub.settings import Settings


async def called(house, key, operation, input):
    """The id of a call with the owner's key, and what it answered."""
    caller = await house.sockets.door.enter(key, "here")
    ask = Ask(operation_id=operation, input=Raw(msgspec.json.encode(input)))
    async with house.calls.opened(ask, caller) as (call, answers):
        return call.id, msgspec.json.decode(await anext(answers))["data"]


async def test_a_secret_that_another_operation_passes_on_is_not_recorded(tmp_path):
    settings = Settings(database=f"sqlite:///{tmp_path / 'hub.sqlite'}")
    async with opened(settings) as house:
        key = house.first_key
        new_key = {"operation": "apiKey.create", "input": {"name": "ci"}}
        id, answer = await called(house, key, "call.run", new_key)
    # A hub that has stopped has written everything.
    async with opened(settings) as house:
        _, tree = await called(house, key, "call.tree", {"id": id})
    assert answer["data"]["secret"].startswith("hub_")
    calls = [tree["call"], tree["children"][0]["call"]]
    assert [(call["operation"], call["input"], call["output"]) for call in calls] == [
        ("call.run", None, None),
        ("apiKey.create", None, None),
    ]
