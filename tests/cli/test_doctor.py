"""`hubbub doctor`: one finding for each thing that can be wrong."""

import json
import socket

import pytest


def results(done) -> dict[str, str]:
    return {each["check"]: each["result"] for each in json.loads(done.stdout)["checks"]}


def test_where_all_is_well_it_says_so(served, cli):
    done = cli("doctor", "--json", HUBBUB_DATABASE=served.database)
    assert done.exit_code == 0
    assert results(done) == {
        name: "ok"
        for name in (
            *("settings", "database", "sqlite", "key file", "hub", "versions"),
            *("ready: database", "ready: calls", "ready: records", "key", "clock"),
        )
    }


def test_people_get_a_line_a_check(cli):
    done = cli("doctor")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 11


def test_before_the_first_start_nothing_is_wrong(cli, tmp_path):
    done = cli("doctor", "--json", "--url", "http://127.0.0.1:9", XDG_DATA_HOME=str(tmp_path))
    checks = results(done)
    assert (done.exit_code, checks["hub"]) == (0, "note")
    assert (checks["database"], checks["key file"]) == ("note", "note")


def test_a_database_may_be_named(cli, tmp_path):
    done = cli("doctor", "--json", "--database", f"sqlite:///{tmp_path / 'none'}")
    assert (done.exit_code, results(done)["database"]) == (0, "note")


@pytest.mark.parametrize(
    ("env", "check"),
    [
        ({"HUBBUB_PORT": "many"}, "settings"),
        ({"HUBBUB_DATABASE": "postgresql://postgres@127.0.0.1:9/none"}, "database"),
        ({"XDG_CONFIG_HOME": "/none"}, "key"),
    ],
)
def test_what_is_wrong_is_found(cli, env, check):
    done = cli("doctor", "--json", **env)
    assert done.exit_code == 1
    assert results(done)[check] == "wrong"


def test_keys_that_others_can_read_are_found(cli, tmp_path):
    keys = tmp_path / "keys"
    keys.touch(mode=0o644)
    done = cli("doctor", "--json", HUBBUB_KEY_FILE=str(keys))
    assert (done.exit_code, results(done)["key file"]) == (1, "wrong")


def test_a_port_that_another_program_has_is_found(cli):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.close()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        done = cli("doctor", "--json", "--url", f"http://127.0.0.1:{other.getsockname()[1]}")
    assert (done.exit_code, results(done)["hub"]) == (1, "wrong")
