"""What the call graph does where the database refuses, or is slow."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from hubbub.app import open_database
from hubbub.calls import recorder
from hubbub.calls.recorder import CallGraph
from hubbub.calls.router import Router
from hubbub.calls.tables import call_graph_nodes as nodes
from hubbub.catalog.model import REMOVED
from hubbub.kernel.events import Bus
from tests.support.hub import PATIENCE_S
from tests.support.routing import ADA, Heard, answer, ask, definition, provider

QUERY = definition("dev.query")


class Far:
    """A database that answers when it is told to, and then as it is told to."""

    def __init__(self):
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.refuses = 0
        self.written = 0

    async def write(self, work):
        self.asked.set()
        await self.answers.wait()
        if self.refuses:
            self.refuses -= 1
            raise OSError("no room")
        self.written += 1


@pytest.fixture
async def far():
    return Far()


@pytest.fixture
async def database(database_url):
    database = await open_database(database_url, Bus())
    yield database
    await database.close()


@asynccontextmanager
async def writing(graph):
    """The graph at work; with the block it ends."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(graph.run())
        yield
        graph.close()


def offered(graph):
    """A router whose calls the graph keeps, and the spoke that carries them out."""
    router, spoke = Router([graph]), provider("s")
    router.offer(spoke, [(QUERY, "dev.query")])
    return router, spoke


def begin(router):
    heard = Heard()
    return router.open(ask("dev.query"), ADA, heard), heard


async def test_a_hub_that_is_behind_with_its_records_takes_no_calls_until_it_has_caught_up(
    far, monkeypatch
):
    monkeypatch.setattr(recorder, "BEHIND_CALLS", 2)
    graph = CallGraph(far, record_bytes_max=100)
    router, _ = offered(graph)
    for _ in range(3):
        assert begin(router)[1].ends == []
    assert begin(router)[1].end == ("failed", "BUSY")
    far.answers.set()
    async with writing(graph):
        await graph.settled()
        assert begin(router)[1].ends == []


async def test_what_is_on_its_way_is_not_yet_written(far):
    graph = CallGraph(far, record_bytes_max=100)
    router, _ = offered(graph)
    begin(router)
    async with writing(graph):
        settled = asyncio.create_task(graph.settled())
        await far.asked.wait()
        assert (graph.waiting, settled.done()) == (1, False)
        far.answers.set()
        await settled
        assert graph.waiting == 0


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_the_database_refused_is_written_later(far, monkeypatch, leaves):
    monkeypatch.setattr(recorder, "RETRY_S", 0)
    graph = CallGraph(far, record_bytes_max=100)
    router, _ = offered(graph)
    begin(router)
    far.refuses = 3
    far.answers.set()
    async with writing(graph):
        if not leaves:
            await graph.settled()
    assert (graph.waiting, far.refuses, far.written > 0) == (0, 0, True)


async def test_a_hub_that_leaves_does_not_wait_for_ever_for_a_database_that_refuses(
    far, monkeypatch
):
    monkeypatch.setattr(recorder, "RETRY_S", 0)
    monkeypatch.setattr(recorder, "LAST_TRIES_S", 0)
    graph = CallGraph(far, record_bytes_max=100)
    router, _ = offered(graph)
    begin(router)
    far.refuses = 1_000_000
    far.answers.set()
    async with writing(graph):
        pass
    assert (graph.waiting, far.written) == (0, 0)


async def test_a_call_whose_operation_and_account_are_gone_is_kept_without_them(database):
    graph = CallGraph(database, record_bytes_max=100)
    router, spoke = offered(graph)
    call, _ = begin(router)
    router.responded(spoke, call.id, answer("done"))
    async with writing(graph):
        await graph.settled()
    async with database.reading() as tx:
        (kept,) = await tx.execute(select(nodes).where(nodes.c.id == call.id))
    found = kept.operation_id, kept.caller_account_id, kept.status, kept.output
    assert found == (REMOVED, None, "completed", "done")
