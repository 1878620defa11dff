"""`hubbub db`, without a hub and beside one."""

import asyncio
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from hubbub.app import open_database
from hubbub.interfaces.cli import root
from hubbub.interfaces.cli.database import shown
from hubbub.kernel.errors import Invalid
from hubbub.kernel.events import Bus
from hubbub.settings import load
from tests.cli.conftest import environment, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def db(tmp_path):
    def run(*words: str):
        return CliRunner(env=environment(tmp_path)).invoke(
            root, ["db", *words, "--json"], catch_exceptions=False
        )

    return run


@pytest.fixture
def file(tmp_path, db):
    file = tmp_path / "hub.sqlite"
    assert db("migrate", "--database", f"sqlite:///{file}").exit_code == 0
    return file


def test_a_database_is_brought_to_the_newest_schema_once(db, tmp_path):
    words = ("migrate", "--database", f"sqlite:///{tmp_path / 'x'}")
    steps = [json.loads(db(*words).stdout) for _ in range(2)]
    assert [step["from"] for step in steps] == [None, steps[0]["to"]]


@pytest.mark.slow
def test_postgresql_is_migrated_and_checked_too(db, postgres_database):
    with postgres_database() as url:
        before = db("check", "--database", url)
        assert (before.exit_code, json.loads(before.stdout)["revision"]) == (1, None)
        assert db("migrate", "--database", url).exit_code == 0
        after = db("check", "--database", url)
        assert (after.exit_code, json.loads(after.stdout)["ok"]) == (0, True)


def test_a_whole_database_is_said_to_be_whole(db, file):
    done = db("check", "--database", f"sqlite:///{file}")
    assert (done.exit_code, json.loads(done.stdout)["faults"]) == (0, [])


def test_a_row_that_refers_to_nothing_is_found(db, file):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE b (a INTEGER REFERENCES a(id))")
        connection.execute("INSERT INTO b VALUES (1)")
    done = db("check", "--database", f"sqlite:///{file}")
    assert (done.exit_code, json.loads(done.stdout)["faults"]) == (
        1,
        ["row 1 of b refers to a a that is gone"],
    )


def test_a_look_at_a_database_that_is_not_there_makes_none(db, tmp_path):
    assert db("check", "--database", f"sqlite:///{tmp_path / 'none'}").exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_cannot_be_written_is_the_targets_fault(db, file, tmp_path):
    done = db("backup", "--database", f"sqlite:///{file}", str(tmp_path / "none" / "copy"))
    error = json.loads(done.stderr)["error"]
    assert (done.exit_code, error["code"]) == (2, "VALIDATION_ERROR")
    assert [each["field"] for each in error["details"]["errors"]] == ["target"]


def test_a_file_that_is_no_database_is_said_to_be_none(db, tmp_path):
    (tmp_path / "text").write_text("This is no database, and long enough to be seen as none.")
    assert db("check", "--database", f"sqlite:///{tmp_path / 'text'}").exit_code == 5


def test_a_backup_is_a_whole_database_for_nobody_else(db, file, tmp_path):
    copy = tmp_path / "copy.sqlite"
    assert db("backup", "--database", f"sqlite:///{file}", str(copy)).exit_code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert db("check", "--database", f"sqlite:///{copy}").exit_code == 0


def test_a_backup_replaces_nothing(db, file, tmp_path):
    copy = tmp_path / "copy.sqlite"
    copy.write_text("dear")
    done = db("backup", "--database", f"sqlite:///{file}", str(copy))
    assert (done.exit_code, copy.read_text()) == (6, "dear")
    assert [each.name for each in tmp_path.glob(".copy*")] == []


def test_a_backup_beside_a_running_hub_has_what_was_written(db, served, answer, tmp_path):
    answer("do", "account", "create", "--email", "backup@example.org")
    copy = tmp_path / "copy.sqlite"
    assert db("backup", "--database", served.database, str(copy)).exit_code == 0
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("SELECT count(*) FROM accounts WHERE email LIKE 'backup@%'")
        assert found.fetchone() == (1,)


def test_a_schema_is_not_changed_under_a_running_hub(db, served):
    assert db("migrate", "--database", served.database).exit_code == 6


@pytest.mark.slow
def test_a_schema_of_postgresql_is_not_changed_under_a_running_hub(db, postgres_database):
    with postgres_database() as url, asyncio.Runner() as runner:
        running = runner.run(open_database(url, Bus()))
        assert db("migrate", "--database", url).exit_code == 6
        runner.run(running.close())
        assert db("migrate", "--database", url).exit_code == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="no pg_dump on the path")
def test_a_backup_of_postgresql_is_what_pg_restore_reads(db, postgres_database, tmp_path):
    copy = tmp_path / "copy"
    with postgres_database() as url:
        assert db("migrate", "--database", url).exit_code == 0
        done = db("backup", "--database", url, str(copy))
    assert (done.exit_code, done.stderr) == (0, "")
    assert copy.read_bytes()[:5] == b"PGDMP"
    assert json.loads(done.stdout)["bytes"] == copy.stat().st_size
    assert (stat.S_IMODE(copy.stat().st_mode), list(tmp_path.iterdir())) == (0o600, [copy])


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="no pg_dump on the path")
@pytest.mark.parametrize("address", ["me:secret@127.0.0.1:9/x", "me@127.0.0.1:9/x?password=secret"])
def test_a_backup_that_fails_leaves_nothing_and_tells_no_password(db, tmp_path, address):
    done = db("backup", "--database", f"postgresql://{address}", str(tmp_path / "copy"))
    assert (done.exit_code, json.loads(done.stderr)["error"]["code"]) == (5, "UNAVAILABLE")
    assert "secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_postgresql_needs_pg_dump(tmp_path):
    env = {**environment(tmp_path), "PATH": ""}
    done = CliRunner(env=env).invoke(
        root, ["db", "backup", "--database", "postgresql://127.0.0.1:9/x", str(tmp_path / "copy")]
    )
    assert (done.exit_code, "pg_dump" in done.stderr) == (5, True)


def test_a_database_may_be_named_by_a_file_with_settings(db, file, tmp_path):
    config = tmp_path / "hub.toml"
    config.write_text(f'database = "sqlite:///{file}"')
    done = db("check", "--config", str(config))
    assert (done.exit_code, json.loads(done.stdout)["database"]) == (0, f"sqlite:///{file}")


def test_what_takes_long_shows_a_bar_to_whoever_looks(file, tmp_path):
    near, far = os.openpty()
    words = ["db", "check", "--database", f"sqlite:///{file}"]
    checking = subprocess.Popen(
        [sys.executable, "-m", "hubbub", *words],
        env={**environment(tmp_path), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=far,
        text=True,
    )
    out, _ = checking.communicate(timeout=20)
    os.close(far)
    told = os.read(near, 65536).decode()
    os.close(near)
    assert (checking.returncode, "is whole" in out, "checking" in told) == (0, True, True)


@pytest.mark.slow
def test_a_key_made_on_the_machine_opens_the_hub(db, tmp_path):
    file = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    key = json.loads(db("key", "--database", file).stdout)["key"]
    with serving(tmp_path, "--database", file) as hub:
        (tmp_path / "key").write_text(key)
        done = CliRunner(env=environment(tmp_path)).invoke(
            root,
            f"--url {hub['url']} --key-file {tmp_path / 'key'} --json do account me".split(),
            catch_exceptions=False,
        )
        assert (done.exit_code, json.loads(done.stdout)["email"]) == (0, "owner@localhost")
        assert db("key", "--database", file).exit_code == 6, "a hub holds the file"


def test_a_database_of_a_later_version_is_said_to_be_one(db, file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    refused = db("migrate", "--database", f"sqlite:///{file}")
    assert json.loads(refused.stderr)["error"]["code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:s@h/x", "postgresql://u@h/x"),
        ("postgresql://u@h/x?password=s&sslmode=require", "postgresql://u@h/x?sslmode=require"),
        ("postgresql://u@h/x?sslpassword=s", "postgresql://u@h/x"),
        ("sqlite:////var/hub.sqlite", "sqlite:////var/hub.sqlite"),
    ],
)
def test_the_address_of_a_database_is_told_without_its_password(url, told):
    assert shown(url) == told


@pytest.mark.parametrize("url", ["postgresql://u:s@h/x", "postgresql://u@h/x?password=s"])
def test_no_password_is_taken_from_the_environment(url):
    with pytest.raises(Invalid):
        load(environment={"HUBBUB_DATABASE": url})
