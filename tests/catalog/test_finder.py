"""The index of the finder is the catalogue, whatever changes while it is read."""

from contextlib import asynccontextmanager

import pytest

from hubbub.app import open_database
from hubbub.catalog import store
from hubbub.catalog.events import OperationsDefined, OperationsRemoved
from hubbub.catalog.finder import Finder
from hubbub.kernel.clock import utc_now
from hubbub.kernel.events import Bus
from hubbub.protocol.specs import OperationSpec
from hubbub.search.model import Asked


class Interrupted:
    """A database in which something happens after the first reading."""

    def __init__(self, database, then):
        self._database = database
        self._then = then

    @asynccontextmanager
    async def reading(self):
        async with self._database.reading() as tx:
            yield tx
        then, self._then = self._then, None
        if then is not None:
            await then()


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
async def database(database_url, bus):
    database = await open_database(database_url, bus)
    yield database
    await database.close()


def spec(name, description):
    return OperationSpec(namespace="toys", name=name, type="query", description=description)


async def define(database, *specs):
    async def work(tx):
        _, news = await store.define(tx, specs, utc_now())
        tx.publish(OperationsDefined(operations=news))
        return [stored.row for stored in news]

    return await database.write(work)


async def remove(database, row):
    async def work(tx):
        await store.remove(tx, row)
        tx.publish(OperationsRemoved(rows=(row,)))

    await database.write(work)


async def found(finder, text):
    findings = await finder.find(Asked(text=text, by="words"), 10, lambda stored: True)
    return [each.stored.spec.id for each in findings.found]


async def test_what_changes_while_the_catalogue_is_read_is_found_as_it_is_now(database, bus):
    gone, _ = await define(database, spec("a", "Tune a violin"), spec("b", "Tune a piano"))

    async def changes():
        await remove(database, gone)
        await define(database, spec("b", "Tune a cello"), spec("c", "Break a violin"))

    finder = Finder(Interrupted(database, changes), bus)
    assert await found(finder, "violin") == ["toys.c"]
    assert (await found(finder, "piano"), await found(finder, "cello")) == ([], ["toys.b"])
