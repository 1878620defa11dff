"""Finding, calling, watching."""

import json
import select
import signal
import time

import pytest

from tests.cli.conftest import END_S, ended, start


def test_an_operation_is_found_by_what_it_does(answer, cli):
    found = answer("find", "which", "calls", "failed", "--limit", "3")
    assert len(found) == 3
    assert found[0]["id"].startswith("call.")
    shown = cli("find", "say it again")
    assert shown.exit_code == 0


def test_a_spokes_operation_is_shown_under_the_name_that_people_use(offered, cli):
    assert "test.kit.echo @tester" in cli("find", "say it again").stdout


def test_values_are_read_as_the_schema_has_them(offered, answer):
    assert answer(
        *("call", "test.kit.echo", "text=1", "number=1", "exact=true", "tags=a", "tags=2"),
    ) == {"text": "1", "number": 1, "exact": True, "tags": ["a", "2"], "extra": None}


def test_an_input_comes_as_json_from_a_file_or_from_standard_input(offered, answer, cli, tmp_path):
    (tmp_path / "input.json").write_text('{"text":"filed","number":1}')
    assert answer("call", "test.kit.echo", "--input", '{"text":"given"}')["text"] == "given"
    filed = answer("call", "test.kit.echo", "number=2", "--input", f"@{tmp_path / 'input.json'}")
    assert (filed["text"], filed["number"]) == ("filed", 2)
    piped = cli("call", "test.kit.echo", "--input", "-", "--json", input='{"text":"piped"}')
    assert json.loads(piped.stdout)["text"] == "piped"


def test_a_stream_prints_a_line_for_each_answer(offered, cli):
    done = cli("call", "test.kit.count", "to=3")
    assert (done.exit_code, done.stdout) == (0, "1\n2\n3\n")


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("call", "no.such"), "OPERATION_NOT_FOUND", 3),
        (("call", "call.get", "id=none"), "NOT_FOUND", 3),
        (("call", "account.create", "email=owner@localhost"), "CONFLICT", 6),
        (("call", "test.kit.echo", "--input", "[]"), "VALIDATION_ERROR", 2),
        (("call", "test.kit.echo", "--input", "[" * 20_000), "VALIDATION_ERROR", 2),
        (("call", "test.kit.echo", "text=\udcff"), "VALIDATION_ERROR", 2),
        (("find", "\udcff"), "VALIDATION_ERROR", 2),
        (("call", "test.kit.wait", "--timeout", "0.05"), "TIMEOUT", 124),
        *(
            (("call", "test.kit.echo", "--timeout", end), "VALIDATION_ERROR", 2)
            for end in ("0", "-1", "nan", "inf", "soon")
        ),
        (("find",), "VALIDATION_ERROR", 2),
        (("calls", "tree", "none"), "NOT_FOUND", 3),
    ],
)
def test_a_failure_is_a_document_on_standard_error_and_an_exit_code(
    offered, cli, words, code, exit_code
):
    done = cli(*words, "--json")
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert json.loads(done.stderr)["error"]["code"] == code


def test_a_field_that_does_not_fit_is_named(cli):
    done = cli("call", "account.create", "email=a@example.org", "accessLevel=king")
    assert done.exit_code == 2
    head, field = done.stderr.splitlines()
    assert head.startswith("VALIDATION_ERROR: ")
    assert field.startswith("  accessLevel: ")


def test_ctrl_c_stops_the_call_on_the_hub(served, offered):
    calling = start(served.home, "call", "test.kit.wait", HUBBUB_URL=served.url)
    assert offered.waiting.wait(END_S)
    calling.send_signal(signal.SIGINT)
    assert ended(calling)[0] == 130
    assert offered.cancelled.wait(END_S)


def test_without_a_key_the_way_in_is_said(cli, tmp_path):
    done = cli("status", XDG_CONFIG_HOME=str(tmp_path))
    assert done.exit_code == 4
    assert "hubbub login" in done.stderr


def test_a_hub_that_is_not_there_is_said_in_a_line(cli):
    done = cli("find", "x", "--url", "http://127.0.0.1:9", "--key-file", "/dev/null", "--json")
    assert done.exit_code == 5
    assert json.loads(done.stderr)["error"]["code"] == "UNAVAILABLE"


def test_logging_in_keeps_a_key_that_counts_and_no_other(served, cli, tmp_path):
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert cli("login", served.url, input="wrong\n", **elsewhere).exit_code == 4
    assert cli("status", **elsewhere).exit_code == 4
    assert cli("login", served.url, input=f"{served.key}\n", **elsewhere).exit_code == 0
    assert cli("status", **elsewhere).exit_code == 0
    assert cli("logout", served.url, **elsewhere).exit_code == 0
    assert cli("status", **elsewhere).exit_code == 4


def test_status_says_how_the_hub_is(served, offered, answer):
    found = answer("status")
    assert (found["url"], found["ready"], found["spokes"]) == (served.url, True, 1)
    assert found["account"]["email"] == "owner@localhost"


def test_spokes_are_listed(offered, answer, cli):
    status = {each["name"]: each["status"] for each in answer("spokes")}
    assert status["tester"] == "connected"
    assert "● connected" in cli("spokes").stdout


def test_a_call_is_shown_with_those_that_it_made(offered, answer, cli):
    assert answer("call", "test.kit.nest")["text"] == "within"
    nest = latest(answer, "test.kit.nest")
    tree = answer("calls", "tree", nest["id"])
    assert [child["call"]["operation"].endswith("kit.echo") for child in tree["children"]] == [True]
    assert answer("calls", "--operation", "test.kit.nest", "--limit", "1") == [nest]
    assert len(answer("calls", "stats", "--operation", "test.kit.nest")) == 1
    shown = cli("calls", "tree", nest["id"]).stdout.splitlines()
    assert [line[: line.index("@") - 1] for line in shown] == [
        "✓ test.kit.nest",
        "└── ✓ test.kit.echo",
    ]


def test_calls_are_counted(answer, cli):
    answer("call", "account.me")
    latest(answer, "account.me")
    assert "account.me" in {each["operation"] for each in answer("calls", "stats")}
    assert cli("calls", "stats").exit_code == 0


def test_calls_are_followed_as_they_come_and_go(served, answer):
    following = start(
        *(served.home, "calls", "--follow", "--operation", "account.me", "--json"),
        HUBBUB_URL=served.url,
    )
    assert following.stdout is not None
    # It hears of calls from some moment on: ours are made until one was heard of.
    while not select.select([following.stdout], [], [], 0)[0]:
        answer("call", "account.me")
    event = json.loads(following.stdout.readline())
    following.send_signal(signal.SIGINT)
    assert ended(following)[0] == 130
    assert {"event", "id", "status", "missed"} <= set(event)
    assert event["operation"] == "account.me"


def test_every_operation_is_a_command(cli, answer):
    listed = cli("do")
    assert "api-key" in (listed.stdout + listed.stderr).split()
    assert "--access-level" in cli("do", "account", "create", "--help").stdout
    made = answer("do", "account", "create", "--email", "do@example.org", "--access-level", "user")
    assert (made["email"], made["accessLevel"]) == ("do@example.org", "user")
    shown = answer("do", "api-key", "create", "--name", "k", "--scopes", "calls:read")
    assert shown["key"]["scopes"] == ["calls:read"]
    off = answer("do", "api-key", "set-enabled", "--id", shown["key"]["id"], "--no-enabled")
    assert off["enabled"] is False


def test_a_spokes_operation_is_a_command_too(offered, answer, cli):
    assert answer("do", "test.kit", "echo", "--text", "hi", "--tags", "a")["tags"] == ["a"]
    assert cli("do", "test.kit", "count", "--to", "2").stdout == "1\n2\n"


@pytest.mark.parametrize("words", [("do", "account", "nope"), ("do", "account", "create")])
def test_a_command_that_does_not_fit_is_refused(cli, words):
    assert cli(*words).exit_code == 2


@pytest.mark.parametrize(
    ("line", "at", "names"),
    [
        ("hubbub st", 1, ["status"]),
        ("hubbub call account.m", 2, ["account.me"]),
        ("hubbub call test.kit.e", 2, ["test.kit.echo"]),
        ("hubbub do api", 2, ["api-key"]),
        ("hubbub do api-key set", 3, ["set-enabled"]),
        ("hubbub do api-key set-enabled --no", 4, ["--no-enabled"]),
    ],
)
def test_names_are_completed_from_the_hub(offered, cli, line, at, names):
    done = cli(_HUBBUB_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(at))
    assert [each.partition(",")[2] for each in done.stdout.split()] == names


@pytest.mark.parametrize(("line", "at"), [("hubbub call a", 2), ("hubbub do a b --", 4)])
def test_completion_is_silent_where_no_hub_answers(cli, line, at):
    nowhere = {"HUBBUB_URL": "http://127.0.0.1:9"}
    done = cli(_HUBBUB_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(at), **nowhere)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def latest(answer, operation: str):
    """The newest completed call of an operation once the hub has written it, which it does soon."""
    until = time.monotonic() + END_S
    while time.monotonic() < until:
        # To ask is to call: among all calls, the one that is looked for would soon be an old one.
        for call in answer("calls", "--operation", operation, "--limit", "1"):
            if call["status"] == "completed":
                return call
    raise AssertionError(f"{operation} was not recorded")
