"""A test gets a PostgreSQL wherever there is one, and leaves nothing behind."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support import services
from tests.support.services import Unavailable, database, execute, refusal

pytestmark = pytest.mark.slow

NOBODY_HERE = "postgresql://postgres@127.0.0.1:1/postgres"


@pytest.fixture(scope="module", params=services.binaries(), ids=str)
def started(request):
    with services.started(request.param) as url:
        yield url


async def answer(url, question):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_a_server_is_started_from_each_set_of_binaries(started):
    assert await answer(started, "SHOW server_encoding") == "UTF8"
    assert await answer(started, "SHOW listen_addresses") == "127.0.0.1"


@pytest.mark.skipif(not services.binaries(), reason="no PostgreSQL binaries")
async def test_nothing_is_left_of_a_server_that_was_started():
    with services.started(services.binaries()[0]) as url:
        data = await answer(url, "SHOW data_directory")
        postmaster = int(Path(data, "postmaster.pid").read_text().split()[0])
        # A client that never leaves does not keep the server.
        lingering = await asyncpg.connect(url)
    assert refusal(url) is not None
    assert not Path(data).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(postmaster, 0)
    lingering.terminate()


def test_binaries_that_do_not_work_are_passed_over(tmp_path):
    folder = tmp_path / "package" / "installation" / "bin"
    folder.mkdir(parents=True)
    (folder / "initdb").write_text("#!/bin/sh\nexit 1\n")
    (folder / "initdb").chmod(0o755)
    with (
        pytest.raises(Unavailable, match="no more binaries"),
        services._started_from_any([folder], []),
    ):
        pass


def test_a_setting_that_does_not_answer_is_not_replaced_by_another_server():
    chosen = {services.SETTING: NOBODY_HERE}
    with pytest.raises(Unavailable, match=services.SETTING), services.server(chosen):
        pass


def test_a_setting_that_answers_is_taken(postgres_server):
    with services.server({services.SETTING: postgres_server}) as url:
        assert url == postgres_server


@pytest.mark.skipif(not services.binaries(), reason="no PostgreSQL binaries")
def test_where_no_server_listens_one_is_started(monkeypatch):
    monkeypatch.setattr(services, "USUAL", NOBODY_HERE)
    with services.server({}) as url:
        assert url != NOBODY_HERE
        assert refusal(url) is None


def test_a_missing_service_fails_in_ci():
    with pytest.raises(pytest.fail.Exception), services.reporting_absence({"CI": "true"}):
        raise Unavailable("no PostgreSQL")


def test_a_missing_service_is_skipped_elsewhere():
    with pytest.raises(pytest.skip.Exception), services.reporting_absence({}):
        raise Unavailable("no PostgreSQL")


async def test_a_database_is_dropped_though_somebody_is_connected(postgres_server):
    with database(postgres_server) as url:
        lingering = await asyncpg.connect(url)
        name = urlsplit(url).path[1:]
    lingering.terminate()
    count = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    assert await answer(postgres_server, count) == 0


async def test_a_database_made_from_a_template_holds_what_the_template_holds(postgres_database):
    with postgres_database() as template:
        execute(template, "CREATE TABLE words (word text)", "INSERT INTO words VALUES ('hello')")
        with postgres_database(template=template) as url:
            assert await answer(url, "SELECT word FROM words") == "hello"
