"""A database, an embedder that counts, and an ingestion between them."""

import hashlib
import struct

import pytest
from aiohttp import web
from sqlalchemy import func, select

from hubbub.app import open_database
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Unavailable
from hubbub.kernel.events import Bus
from hubbub.mcpservers import registry_store, tool_store, workload_store
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.tables import (
    mcpservers_registry,
    mcpservers_workload,
    tools_registry,
    tools_workload,
)

DIMENSIONS = 8


class Counting:
    """Gives each word a direction by its hash, and says what it was asked for."""

    id = "hashing-1"
    dimensions = DIMENSIONS

    def __init__(self):
        self.texts = []
        self.down = False

    async def embed(self, texts):
        if self.down:
            raise Unavailable("the model is away")
        self.texts += texts
        return [vector(text) for text in texts]

    def asked(self):
        """The texts since it was last asked for them."""
        texts, self.texts = self.texts, []
        return texts


def vector(text):
    sums = [0.0] * DIMENSIONS
    for word in text.split():
        digest = hashlib.sha256(word.encode()).digest()
        for n in range(DIMENSIONS):
            sums[n] += digest[n] - 127.5
    length = sum(each * each for each in sums) ** 0.5 or 1.0
    return struct.pack(f"<{DIMENSIONS}f", *(each / length for each in sums))


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
async def database(database_url, bus):
    database = await open_database(database_url, bus)
    yield database
    await database.close()


@pytest.fixture
def embedder():
    return Counting()


@pytest.fixture
def ingestion(database, embedder):
    return Ingestion(database, lambda: embedder, utc_now)


@pytest.fixture
def rows(database):
    return Rows(database)


class Rows:
    """What is kept, as tests want to see it."""

    def __init__(self, database):
        self.database = database

    async def registry(self):
        async with self.database.reading() as tx:
            found = await registry_store.page(tx, limit=500)
        return {each.name: each for each in found}

    async def workloads(self):
        async with self.database.reading() as tx:
            found = await workload_store.page(tx, limit=500)
        return {each.workload_name: each for each in found}

    async def joined(self, name):
        async with self.database.reading() as tx:
            workload = await workload_store.get_named(tx, name)
            (found,) = await workload_store.with_registry(tx, [workload])
        return found

    async def tools(self, side, server):
        async with self.database.reading() as tx:
            found = await tool_store.of_server(tx, side, server)
        return {each.name: each for each in found}


@pytest.fixture
def written(database):
    """How many write transactions there were since it was last asked."""
    count = 0
    write = database.write

    async def counting(work):
        nonlocal count
        count += 1
        return await write(work)

    database.write = counting

    def since():
        nonlocal count
        found, count = count, 0
        return found

    return since


@pytest.fixture
def count(database):
    """How many servers and tools there are on each side."""

    async def counted():
        async with database.reading() as tx:
            return {
                side: (await rows_of(tx, servers), await rows_of(tx, tools))
                for side, servers, tools in (
                    ("registry", mcpservers_registry, tools_registry),
                    ("workload", mcpservers_workload, tools_workload),
                )
            }

    return counted


async def rows_of(tx, table):
    return (await tx.execute(select(func.count().label("rows")).select_from(table))).scalar()


class Served:
    """An HTTP server that says what a test puts into it, and remembers what it was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.url = ""

    async def answer(self, request):
        self.asked.append(request.path_qs)
        said = self.answers.get(request.path)
        if callable(said):
            said = said(request)
        if said is None:
            return web.Response(status=404)
        return said if isinstance(said, web.Response) else web.json_response(said)


@pytest.fixture
async def far():
    """`far.answers["/path"] = document`, at `far.url`."""
    served = Served()
    app = web.Application()
    app.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.port = runner.addresses[0][1]
    served.url = f"http://127.0.0.1:{served.port}"
    yield served
    await runner.cleanup()
