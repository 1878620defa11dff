"""What a caller hears of a call that it waits for, and what is kept for one who does not listen."""

import pytest
from msgspec import Raw

from hubbub.calls import waiting
from hubbub.calls.model import Ask
from hubbub.calls.router import Router
from hubbub.calls.waiting import Calls
from hubbub.kernel.errors import TooLarge
from hubbub.protocol.frames import Progressed
from tests.support.routing import ADA, answer, definition, provider

STREAM = definition("dev.stream", "subscription")


@pytest.fixture
def spoke(monkeypatch):
    monkeypatch.setattr(waiting, "WAITING_BYTES_MAX", 10_000)
    return provider("s")


@pytest.fixture
def calls(spoke):
    router = Router([])
    router.offer(spoke, [(STREAM, STREAM.id)])
    yield Calls(router, None)
    router.close()


def progressed(n):
    return Progressed(request_id="", progress=n, message="a step")


async def test_what_was_taken_makes_room_for_more(calls, spoke):
    async with calls.opened(Ask(operation_id=STREAM.id), ADA, wants_progress=True) as opened:
        call, answers = opened
        for n in range(100):
            calls.router.progressed(spoke, call.id, progressed(n))
            calls.router.responded(spoke, call.id, answer("x" * 1000))
            assert (await anext(answers)).progress == n
            assert isinstance(await anext(answers), Raw)


async def test_a_call_whose_answers_nobody_takes_is_ended(calls, spoke):
    async with calls.opened(Ask(operation_id=STREAM.id), ADA) as (call, answers):
        for _ in range(100):
            calls.router.responded(spoke, call.id, answer("x" * 1000))
        with pytest.raises(TooLarge):
            await anext(answers)
        assert call.status == "aborted"


async def test_a_call_whose_progress_nobody_takes_is_ended(calls, spoke):
    async with calls.opened(Ask(operation_id=STREAM.id), ADA, wants_progress=True) as opened:
        call, answers = opened
        for n in range(100):
            calls.router.progressed(spoke, call.id, progressed(n))
        with pytest.raises(TooLarge):
            await anext(answers)
        assert call.status == "aborted"


async def test_progress_that_nobody_wants_is_not_kept(calls, spoke):
    async with calls.opened(Ask(operation_id=STREAM.id), ADA) as (call, answers):
        for n in range(100):
            calls.router.progressed(spoke, call.id, progressed(n))
        calls.router.responded(spoke, call.id, answer())
        assert isinstance(await anext(answers), Raw)
