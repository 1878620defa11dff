"""Bringing a database to the newest schema."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from hubbub.storage import migrate
from hubbub.storage.migrations import HEAD

from . import catalog
from .stories import within


def test_a_database_that_was_never_migrated_stands_nowhere(new_database):
    assert migrate.current(new_database()) is None


def test_migrating_twice_is_migrating_once(new_database):
    url = new_database()
    migrate.upgrade(url)
    before = within(url, catalog.facts)
    migrate.upgrade(url)
    assert (migrate.current(url), within(url, catalog.facts)) == (HEAD, before)


def test_hubs_that_start_together_take_turns(new_database):
    url = new_database()
    with ThreadPoolExecutor(3) as hubs:
        assert list(hubs.map(migrate.upgrade, [url] * 3)) == [None] * 3
    assert migrate.current(url) == HEAD


def test_a_migration_that_fails_leaves_nothing(new_database):
    url = new_database()

    def stand_in_the_way(connection: Connection) -> set[str]:
        connection.exec_driver_sql("CREATE TABLE projection_state (projector TEXT)")
        return catalog.facts(connection)

    before = within(url, stand_in_the_way, keep=True)
    with pytest.raises(Exception, match="projection_state"):
        migrate.upgrade(url)
    assert (migrate.current(url), within(url, catalog.facts)) == (None, before)


@pytest.mark.slow
@pytest.mark.parametrize("query", ["options=-c%20search_path%3Dhub", "search_path=hub"])
def test_the_url_chooses_the_schema_on_postgresql(new_postgresql, query):
    url = new_postgresql()
    within(url, lambda tx: tx.exec_driver_sql("CREATE SCHEMA hub").close(), keep=True)
    migrate.upgrade(f"{url}?{query}")
    assert migrate.current(f"{url}?{query}") == HEAD
    assert migrate.current(url) is None
    assert within(url, catalog.facts) == set()


def test_a_file_with_a_percent_sign_in_its_name_is_migrated(tmp_path):
    file = tmp_path / "100% hub.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    assert (file.exists(), migrate.current(f"sqlite:///{file}")) == (True, HEAD)


def test_a_hub_that_is_up_to_date_does_not_import_alembic(new_sqlite):
    url = new_sqlite()
    migrate.upgrade(url)
    script = (
        "import sys; from hubbub.storage import migrate; "
        f"migrate.upgrade({url!r}); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["False"]
