"""Reading and writing, on both databases: what is kept, when others see it, and who hears of it."""

import asyncio
import gc
import sqlite3
import time
from contextlib import closing
from datetime import datetime

import anyio
import pytest
from sqlalchemy import bindparam, column, func, literal, select, table, text, update

from hubbub.app import open_database
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict
from hubbub.kernel.events import Bus
from hubbub.kernel.ids import new_id
from hubbub.projects.tables import projects
from hubbub.roles.tables import roles
from hubbub.storage.sqlite import GROUP_COMMANDS_MAX, GROUP_S_MAX
from hubbub.storage.transaction import ConstraintViolated, Unkeepable
from tests.support import services
from tests.support.hub import PATIENCE_S


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def told(bus):
    """The events that came, in their order."""
    told = []
    bus.listen(str, told.append)
    return told


@pytest.fixture
async def database(database_url, bus):
    database = await open_database(database_url, bus)
    yield database
    await database.close()


def row(id, name="a"):
    now = utc_now()
    return {"id": id, "name": name, "created_at": now, "updated_at": now}


def adding(id, *events, name="a"):
    async def work(tx):
        await tx.execute_many(projects.insert(), [row(id, name)])
        for event in events:
            tx.publish(event)
        return id

    return work


async def names(database, *ids):
    async with database.reading() as tx:
        found = await tx.execute(
            select(projects.c.id, projects.c.name)
            .where(projects.c.id.in_(ids) if ids else projects.c.id == projects.c.id)
            .order_by(projects.c.id)
        )
        return {each.id: each.name for each in found}


async def test_what_was_written_is_read(database):
    assert await database.write(adding("a")) == "a"
    assert await names(database) == {"a": "a"}


async def test_one_that_fails_spoils_no_other(database, told):
    async def failing(tx):
        await adding("lost", "lost")(tx)
        raise Conflict("changed my mind", id="lost")

    async def violating(tx):
        await adding("a")(tx)

    await database.write(adding("a"))
    results = await asyncio.gather(
        *(database.write(adding(f"n{n}", f"n{n}")) for n in range(10)),
        database.write(failing),
        database.write(violating),
        *(database.write(adding(f"n{n}", f"n{n}")) for n in range(10, 20)),
        return_exceptions=True,
    )
    kept = [f"n{n}" for n in range(20)]
    assert [each for each in results if isinstance(each, str)] == kept
    assert [type(each) for each in results[10:12]] == [Conflict, ConstraintViolated]
    assert set(await names(database)) == {"a", *kept}
    assert sorted(told) == sorted(kept)


async def test_a_failure_says_what_it_was(database):
    async def failing(tx):
        raise Conflict("no", why="because")

    with pytest.raises(Conflict) as failed:
        await database.write(failing)
    assert failed.value.details == {"why": "because"}


async def test_events_are_told_in_order_once_the_rows_are_there(database, bus):
    seen = []
    bus.listen(str, seen.append)

    def look(event):
        seen.append(asyncio.ensure_future(names(database)))

    bus.listen(str, look)
    await database.write(adding("a", "one", "two"))
    assert [each for each in seen if isinstance(each, str)] == ["one", "two"]
    looks = [each for each in seen if not isinstance(each, str)]
    assert await asyncio.gather(*looks) == [{"a": "a"}, {"a": "a"}]


async def test_a_listener_that_fails_keeps_nobody_from_going_on(database, bus, told):
    def fail(event):
        raise RuntimeError("a bug of the listener's")

    bus.listen(str, fail)
    assert await database.write(adding("a", "one")) == "a"
    assert told == ["one"]


async def test_of_what_failed_nobody_hears(database, told):
    async def failing(tx):
        tx.publish("never")
        raise Conflict("no")

    with pytest.raises(Conflict):
        await database.write(failing)
    await database.write(adding("a", "one"))
    assert told == ["one"]


async def test_a_reader_sees_one_moment(database):
    await database.write(adding("a"))
    async with database.reading() as tx:
        before = len(await tx.execute(select(projects)))
        await database.write(adding("b"))
        assert len(await tx.execute(select(projects))) == before == 1
    assert set(await names(database)) == {"a", "b"}


async def test_a_reader_does_not_write(database):
    async with database.reading() as tx:
        with pytest.raises(Exception):  # noqa: B017  # each driver has its own
            await tx.execute(update(projects).values(name="b"))


async def test_two_that_read_judge_and_write_lose_nothing(database):
    await database.write(adding("counter", name="0"))

    async def count(tx):
        found = await tx.execute(select(projects.c.name).where(projects.c.id == "counter"))
        changed = update(projects).where(projects.c.id == "counter")
        await tx.execute(changed.values(name=str(int(found.scalar()) + 1)))

    async def fifty():
        for _ in range(50):
            await database.write(count)

    async with asyncio.timeout(20):
        await asyncio.gather(fifty(), fifty())
    assert await names(database) == {"counter": "100"}


async def test_two_that_make_the_same_row_agree(database):
    """The one who comes second sees the row of the first, and may judge anew."""

    async def make(tx):
        found = await tx.execute(select(projects.c.id).where(projects.c.id == "only"))
        if found:
            raise Conflict("there is one", project="only")
        await adding("only")(tx)
        return "made"

    made = await asyncio.gather(*(database.write(make) for _ in range(5)), return_exceptions=True)
    assert sorted(str(each) for each in made) == ["made"] + ["there is one"] * 4


async def test_numbers_and_lists_come_back_as_they_were(database):
    async def work(tx):
        now = utc_now()
        await tx.execute(
            roles.insert(), id="r", name="coder", mode="primary", temperature=0.7,
            created_at=now, updated_at=now,
        )  # fmt: skip

    await database.write(work)
    async with database.reading() as tx:
        (read,) = await tx.execute(select(roles))
    assert (read.id, read.name, read.temperature) == ("r", "coder", 0.7)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
async def test_a_moment_that_is_none_in_utc_is_refused(database, at):
    async with database.reading() as tx:
        with pytest.raises(Unkeepable):
            moment = datetime.fromisoformat(at)
            await tx.execute(select(projects).where(projects.c.created_at < moment))


async def test_statements_are_kept_by_their_text_and_not_by_their_values(database):
    async def ask(tx, n):
        ids = [f"p{i}" for i in range(1 + n % 7)]
        await tx.execute(select(projects).where(projects.c.id.in_(ids)).limit(n + 1))
        await tx.execute(select(projects.c.name).where(projects.c.name == f"name {n}"))
        await tx.execute(select(projects.c.name).where(projects.c.id == bindparam("id")), id=str(n))

    def kept():
        gc.collect()
        statements = database._statements
        return len(statements._compilers), len(statements._compiled), len(statements._prepared)

    async with database.reading() as tx:
        await ask(tx, 0)
        before = kept()
        for n in range(50):
            await ask(tx, n)
        assert kept() == before


async def test_a_statement_that_is_made_once_is_run_with_the_values_of_each_time(database):
    named = select(projects.c.id).where(projects.c.name == bindparam("name"))
    first, second = (named.where(projects.c.id == id) for id in "ab")
    rename = update(projects).where(projects.c.id == bindparam("project"))

    async def work(tx):
        await tx.execute_many(projects.insert(), [row("a"), row("b")])
        await tx.execute(rename, project="a", name="x")
        await tx.execute(rename, project="b", name="y", icon_url="z")
        return [
            [each.id for each in await tx.execute(statement, name=name)]
            for name in ("x", "y", "x")
            for statement in (first, second)
        ]

    assert await database.write(work) == [["a"], [], [], ["b"], ["a"], []]
    assert await names(database) == {"a": "x", "b": "y"}


async def test_whoever_stops_waiting_does_not_disturb_the_others(database):
    writing = [asyncio.create_task(database.write(adding(f"n{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    for task in writing[::2]:
        task.cancel()
    await asyncio.wait(writing)
    assert await database.write(adding("after")) == "after"
    found = await names(database)
    assert {"after", *(f"n{n}" for n in range(1, 20, 2))} <= set(found)
    reading = [asyncio.create_task(names(database)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    assert await names(database) == found


@pytest.mark.slow
async def test_reads_that_are_cut_short_leave_the_others_alone(database):
    """A scope that is cancelled cancels again and again until it is left."""
    number = select(literal(1).label("n")).cte("number", recursive=True)
    number = number.union_all(select(number.c.n + 1).where(number.c.n < 20_000_000))

    async def cut_short():
        with anyio.move_on_after(0.02) as scope:
            async with database.reading() as tx:
                await tx.execute(select(func.count()).select_from(number))
        return scope.cancelled_caught

    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            assert await asyncio.gather(*(cut_short() for _ in range(8))) == [True] * 8
            assert await asyncio.gather(*(names(database) for _ in range(8))) == [{}] * 8


async def test_what_was_accepted_is_written_before_it_closes(database_url, bus):
    database = await open_database(database_url, bus)
    writing = [asyncio.create_task(database.write(adding(f"n{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.wait(writing)
    await database.close()
    database = await open_database(database_url, bus)
    assert len(await names(database)) == 50
    await database.close()


async def test_nobody_waits_for_one_that_is_closed(database_url, bus):
    database = await open_database(database_url, bus)
    await database.close()
    for late in (database.write(adding("late")), names(database)):
        with pytest.raises(Exception) as refused:  # each driver has its own
            await asyncio.wait_for(late, PATIENCE_S)
        assert not isinstance(refused.value, TimeoutError)


async def test_a_second_hub_is_turned_away_before_it_touches_the_schema(database, database_url):
    revision = table("alembic_version", column("version_num"))
    await database.write(lambda tx: tx.execute(update(revision).values(version_num="0000")))
    with pytest.raises(Conflict) as refused:
        await open_database(database_url, Bus())
    assert "database" in refused.value.details


async def test_it_says_how_it_is(database):
    health = await database.health()
    assert (health.ready, health.pending_writes) == (True, 0)
    assert health.detail.split()[0] in ("SQLite", "PostgreSQL")


async def nowhere(tx):
    await tx.execute(text("DELETE FROM nowhere"))


async def test_a_write_that_failed_is_made_up_for_by_another(database):
    with pytest.raises(database.faults):
        await database.write(nowhere)
    assert (await database.health()).ready


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_it_says_that_it_cannot_be_written_until_it_can(database, database_url):
    services.execute(database_url, "ALTER TABLE alembic_version RENAME TO elsewhere")
    with pytest.raises(database.faults):
        await database.write(nowhere)
    health = await database.health()
    assert not health.ready and "the last write failed" in health.detail
    services.execute(database_url, "ALTER TABLE elsewhere RENAME TO alembic_version")
    assert (await database.health()).ready


# What only PostgreSQL has to promise.

HOLDERS = """FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_server_that_forgot_who_holds_the_database_is_told_before_a_write(
    database, database_url
):
    services.execute(database_url, f"SELECT pg_terminate_backend(pid) {HOLDERS}")
    async with asyncio.timeout(PATIENCE_S):
        while services.execute(database_url, f"SELECT pid {HOLDERS}") != "SELECT 1":
            await database.write(adding(new_id()))
    with pytest.raises(Conflict):
        await open_database(database_url, Bus())


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_whoever_lost_the_database_to_another_writes_no_more(database, database_url):
    services.execute(database_url, f"SELECT pg_terminate_backend(pid) {HOLDERS}")
    other = await open_database(database_url, Bus())
    with pytest.raises(Conflict):
        await database.write(adding("a"))
    assert await names(database, "a") == {}
    await other.close()
    await database.write(adding("a"))


# What only SQLite has to promise.

only_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@only_sqlite
async def test_a_write_that_waits_for_something_else_is_refused(database):
    async def waiting(tx):
        await adding("half")(tx)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError):
        await database.write(waiting)
    assert await names(database) == {}
    assert await database.write(adding("a")) == "a"


@only_sqlite
async def test_a_write_that_waits_spoils_no_other_of_its_group(database):
    async def waiting(tx):
        await asyncio.sleep(0)

    results = await asyncio.gather(
        database.write(adding("a")),
        database.write(waiting),
        database.write(adding("b")),
        return_exceptions=True,
    )
    assert [results[0], type(results[1]), results[2]] == ["a", RuntimeError, "b"]
    assert set(await names(database)) == {"a", "b"}


@only_sqlite
async def test_whoever_waits_is_answered_also_when_the_file_can_no_longer_be_written(database):
    await database.write(adding("a"))
    database._connection.close()
    asked = GROUP_COMMANDS_MAX + 1
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(
            *(database.write(adding(f"n{n}")) for n in range(asked)), return_exceptions=True
        )
    assert {type(answer) for answer in answers} == {sqlite3.ProgrammingError}
    assert await names(database) == {"a": "a"}


@only_sqlite
async def test_who_is_done_does_not_wait_for_all_the_work_that_comes_behind(database):
    """A group is cut where its work becomes long: the next is carried out when it is committed."""

    async def long(tx):
        await adding("long")(tx)
        until = time.monotonic() + 2 * GROUP_S_MAX
        while time.monotonic() < until:
            pass

    async def behind(tx):
        with closing(sqlite3.connect(database.path)) as other:
            return other.execute("SELECT id FROM projects").fetchall()

    answers = await asyncio.gather(database.write(long), database.write(behind))
    assert answers == [None, [("long",)]]
