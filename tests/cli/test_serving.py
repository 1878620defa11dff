"""`hubbub serve` and `hubbub spoke dev` as processes."""

import json
import select
import signal
import socket
import tomllib

import pytest
from click.testing import CliRunner

from hubbub.interfaces.cli import credentials, root
from tests.cli.conftest import ended, environment, serving, start

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a folder' / 'hub.sqlite'}"
        return
    with request.getfixturevalue("postgres_database")() as url:
        yield url


def saved(home) -> dict[str, dict[str, str]]:
    return tomllib.loads((home / "config" / "hubbub" / "credentials.toml").read_text())["hubs"]


def test_the_first_start_makes_a_key_saves_it_and_shows_it_once(tmp_path, database):
    with serving(tmp_path, "--database", database) as first:
        assert saved(tmp_path) == {first["url"]: {"key": first["key"]}}
        asked = start(tmp_path, "status", "--json", HUBBUB_URL=first["url"])
        code, out, _ = ended(asked)
        assert (code, json.loads(out)["account"]["accessLevel"]) == (0, "admin")
    with serving(tmp_path, "--database", database) as second:
        assert second["key"] is None


@pytest.fixture
def bare(tmp_path):
    """Runs a command where none of the extras is installed."""
    extras = ("asyncpg", "greenlet", "opentelemetry")
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({extras!r}))"
    )
    return lambda *words: start(tmp_path, *words, PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize(
    "words", [("serve", "--port", "0"), ("db", "check"), ("db", "migrate"), ("db", "key")]
)
def test_every_command_says_alike_which_extra_a_database_needs(bare, words):
    code, _, err = ended(bare(*words, "--json", "--database", "postgresql://127.0.0.1:9/hub"))
    error = json.loads(err)["error"]
    assert (code, error["code"]) == (2, "VALIDATION_ERROR")
    assert [each["field"] for each in error["details"]["errors"]] == ["database"]


def test_a_hub_on_sqlite_starts_without_any_extra(bare, tmp_path):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    process = bare("serve", "--port", "0", "--json", "--database", url)
    assert process.stdout is not None
    told = process.stdout.readline()
    process.terminate()
    code, _, err = ended(process)
    assert (code, err) == (0, "")
    assert json.loads(told)["key"].startswith("hub_")


def test_people_are_shown_the_key(tmp_path):
    process = start(tmp_path, "serve", "--port", "0", "--database", f"sqlite:///{tmp_path / 'h'}")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    (entry,) = saved(tmp_path).values()
    assert code == 0
    assert "http://127.0.0.1:" in lines[0]
    assert f"shown once: {entry['key']}" in lines[2]
    assert "Saved for you in" in err


def test_a_key_that_cannot_be_saved_is_shown_all_the_same(tmp_path):
    (tmp_path / "config").write_text("a file where the folder should be")
    with serving(tmp_path, "--database", f"sqlite:///{tmp_path / 'h'}") as line:
        assert line["key"].startswith("hub_")


def refused(home, *words: str, **env: str) -> tuple[int, dict[str, object], str]:
    code, out, err = ended(start(home, "serve", "--json", *words, **env))
    assert out == ""
    (line,) = err.splitlines()
    error = json.loads(line)["error"]
    return code, error["details"], error["code"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "hub.example"])
@pytest.mark.parametrize("source", ["command line", "environment", "file"])
def test_an_address_that_others_can_reach_is_refused_wherever_it_is_said(tmp_path, source, host):
    config, file = tmp_path / "hub.toml", tmp_path / "hub.sqlite"
    config.write_text(f"host = {json.dumps(host)}" if source == "file" else "")
    env = {"HUBBUB_HOST": host} if source == "environment" else {}
    words = ["--host", host] if source == "command line" else []
    done = CliRunner(env={**environment(tmp_path), **env}).invoke(
        root,
        ["serve", "--json", "--config", str(config), "--database", f"sqlite:///{file}", *words],
    )
    (error,) = json.loads(done.stderr)["error"]["details"]["errors"]
    assert (done.exit_code, error["field"], file.exists()) == (2, "host", False)


def test_a_database_that_another_hub_has_is_refused_with_its_process(served, tmp_path):
    code, details, name = refused(tmp_path, "--port", "0", "--database", served.database)
    assert (code, name) == (6, "CONFLICT")
    assert str(details["process"]).isdigit()


def test_a_port_that_is_taken_is_refused_before_a_key_is_made(tmp_path):
    file = tmp_path / "hub.sqlite"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, name = refused(tmp_path, "--port", port, "--database", f"sqlite:///{file}")
    assert (code, name, file.exists()) == (6, "CONFLICT", False)


@pytest.mark.parametrize(
    ("words", "env", "exit_code"),
    [
        (["--host", "0.0.0.0"], {}, 2),
        (["--database", "mysql://x"], {}, 2),
        (["--database", "sqlite:////proc/none/hub.sqlite"], {}, 5),
        (["--database", "postgresql://postgres@127.0.0.1:9/none"], {}, 5),
        ([], {"HUBBUB_DRAIN_S": "-1"}, 2),
        ([], {"HUBBUB_LOG_LEVEL": "shout"}, 2),
        ([], {"HUBBUB_DATABASE": "postgresql://me:secret@127.0.0.1/x"}, 2),
    ],
)
def test_a_start_that_cannot_be_is_one_line(tmp_path, words, env, exit_code):
    assert refused(tmp_path, "--port", "0", *words, **env)[0] == exit_code


def test_others_are_let_in_only_behind_tls(tmp_path):
    code, _, err = ended(start(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0"))
    assert code == 2
    assert "TLS" in err and "--public" in err


def test_a_public_hub_saves_no_key(tmp_path):
    words = ("--host", "0.0.0.0", "--public", "--database", f"sqlite:///{tmp_path / 'h'}")
    with serving(tmp_path, *words) as line:
        assert line["key"]
    assert not (tmp_path / "config").exists()


def test_a_second_signal_ends_a_hub_that_waits_for_calls(tmp_path):
    words = ("serve", "--port", "0", "--database", f"sqlite:///{tmp_path / 'h'}")
    process = start(tmp_path, *words, HUBBUB_DRAIN_S="600")
    assert process.stderr is not None
    while "Ctrl-C" not in process.stderr.readline():
        assert process.poll() is None
    (url,) = saved(tmp_path)
    waiting = start(tmp_path, "call", "call.follow", HUBBUB_URL=url)
    assert waiting.stdout is not None
    runner = CliRunner(env={**environment(tmp_path), "HUBBUB_URL": url})
    # It hears of calls from some moment on: ours are made until one was heard of.
    while not select.select([waiting.stdout], [], [], 0)[0]:
        assert runner.invoke(root, ["call", "account.me"]).exit_code == 0
    process.send_signal(signal.SIGTERM)
    while "Stopping" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 128 + signal.SIGTERM
    waiting.kill()
    ended(waiting)


def test_a_folder_is_offered_until_it_is_told_to_stop(served, cli, answer, tmp_path):
    (tmp_path / "note.txt").write_text("one\ntwo\n")
    words = ("spoke", "dev", "--root", str(tmp_path), "--name", "notes", "--json")
    process = start(served.home, *words, HUBBUB_URL=served.url)
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert (line["name"], line["url"]) == ("notes", credentials.filed_as(served.url))
    assert answer("call", "dev.fs.read", "path=note.txt")["totalLines"] == 2
    assert cli("call", "dev.fs.read", "path=../x").exit_code != 0
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    # The hub notes it a moment later.
    while {each["name"]: each["status"] for each in answer("spokes")}["notes"] != "disconnected":
        pass


@pytest.mark.parametrize("words", [["--root", "/none"], ["--root", "/", "--allow", "/bin/sh"]])
def test_a_folder_that_cannot_be_offered_is_refused(served, cli, words):
    assert cli("spoke", "dev", *words).exit_code == 2
