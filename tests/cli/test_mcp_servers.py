"""Servers that the hub is told of by hand, or that it takes over from other programs."""

import json
import shutil
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CURSOR = """{
  // Mine
  "mcpServers": {
    "github": {
      "command": "/no/such/npx",
      "args": ["-y", "server-github"],
      "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}"},
    },
    "docs": {"url": "http://127.0.0.1:9/mcp"},
    "other": {"command": "x", "env": {"A": "${NOT_SET_ANYWHERE}"}},
    "hub": {"command": "hubbub", "args": ["mcp", "stdio"]},
  },
}
"""


@pytest.fixture
def home(tmp_path, cli, monkeypatch, served):
    """An empty home and folder, with the key of the hub that the tests share."""
    (tmp_path / "config").symlink_to(served.home / "config")
    monkeypatch.chdir(tmp_path)

    def run(*words, input=None, **env):
        places = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return cli("mcp", *words, input=input, **places, **env)

    run.path = tmp_path
    return run


@pytest.fixture
def forgotten(answer, cli):
    """Clients are removed after a test: the hub is shared."""
    yield
    for client in answer("call", "client.list")["items"]:
        assert cli("call", "client.remove", f"client={client['name']}").exit_code == 0


def clients(answer):
    return {each["name"]: each["config"] for each in answer("call", "client.list")["items"]}


def test_without_a_word_it_shows_what_there_is(home):
    (home.path / ".cursor").mkdir()
    (home.path / ".cursor" / "mcp.json").write_text(CURSOR)
    (home.path / ".mcp.json").write_text("{")
    found = json.loads(home("import", "--json").stdout)
    # The folder in which one works is the home here, so that each file is found once as a person's
    # and once as a project's.
    shown = {(each["client"], tuple(each["servers"])) for each in found}
    assert shown == {("cursor", ("github", "docs", "other", "hub")), ("claude-code", ())}
    assert "the file is no JSON" in home("import").stdout


def test_servers_among_other_settings_are_found(home):
    file = home.path / "config" / "Code" / "User" / "settings.json"
    try:
        file.parent.mkdir(parents=True)
        file.write_text('{"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "x"}}}}')
        found = json.loads(home("import", "--json").stdout)
        assert [(each["client"], each["servers"]) for each in found] == [("vscode", ["a"])]
        file.write_text('{"editor.fontSize": 12}')
        assert json.loads(home("import", "--json").stdout) == []
    finally:
        shutil.rmtree(home.path / "config" / "Code")


def test_servers_of_another_program_are_taken_over(home, answer, forgotten):
    (home.path / ".cursor").mkdir()
    file = home.path / ".cursor" / "mcp.json"
    file.write_text(CURSOR)
    words = ("import", str(file), "--json")
    dry = home(*words, "--dry-run", GITHUB_TOKEN="ghp-1")
    assert clients(answer) == {}
    done = home(*words, GITHUB_TOKEN="ghp-1")
    results = {each["name"]: each["result"] for each in json.loads(done.stdout)["servers"]}
    assert results == {"github": "created", "docs": "created", "other": "failed", "hub": "skipped"}
    assert (dry.exit_code, done.exit_code) == (1, 1)
    assert "ghp-1" not in done.output + dry.output
    found = clients(answer)
    assert found["github"]["env"] == {"GITHUB_TOKEN": "${secret:GITHUB_TOKEN}"}
    assert found["docs"] == {"transport": "streamable-http", "url": "http://127.0.0.1:9/mcp"}
    keys = answer("call", "client.listSecrets", "client=github")["items"]
    assert [each["key"] for each in keys] == ["GITHUB_TOKEN"]
    again = home(*words, "--only", "docs")
    assert json.loads(again.stdout)["servers"] == [
        {"name": "docs", "from": "cursor", "result": "skipped", "why": "the hub has it already"}
    ]


def test_a_name_that_the_hub_keeps_for_itself_fails_alone(home, answer, forgotten):
    file = home.path / "servers.json"
    file.write_text('{"call": {"command": "x"}, "mine": {"command": "y"}}')
    done = home("import", str(file))
    assert done.exit_code == 1
    assert list(clients(answer)) == ["mine"]
    done = home("import", str(file), "--only", "call", "--rename", "call=calls-of-x")
    assert (done.exit_code, list(clients(answer))) == (0, ["calls-of-x", "mine"])


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (
            ("--env", "MODE=fast", "--", "/no/such/uvx", "mcp-server-time", "--tz", "UTC"),
            {
                "transport": "stdio",
                "command": "/no/such/uvx",
                "args": ["mcp-server-time", "--tz", "UTC"],
                "env": {"MODE": "fast"},
            },
        ),
        (
            ("http://127.0.0.1:9/mcp", "-H", "X-Team: blue", "-H", "Authorization: Bearer abc"),
            {
                "transport": "streamable-http",
                "url": "http://127.0.0.1:9/mcp",
                "headers": {
                    "X-Team": "blue",
                    "Authorization": "Bearer ${secret:AUTHORIZATION}",
                },
            },
        ),
        (("http://127.0.0.1:9/sse",), {"transport": "sse", "url": "http://127.0.0.1:9/sse"}),
        (
            ("--secret", "API_KEY=-", "--group", "mine", "--", "x"),
            {
                "group": "mine",
                "transport": "stdio",
                "command": "x",
                "env": {"API_KEY": "${secret:API_KEY}"},
            },
        ),
        (
            (
                "http://127.0.0.1:9/mcp",
                "--secret",
                "T=-",
                "-H",
                "Authorization: Bearer ${secret:T}",
            ),
            {
                "transport": "streamable-http",
                "url": "http://127.0.0.1:9/mcp",
                "headers": {"Authorization": "Bearer ${secret:T}"},
            },
        ),
    ],
)
def test_a_server_is_added_in_one_line(home, answer, forgotten, words, config):
    done = home("add", "one", *words, input="from-stdin\n")
    assert done.exit_code == 0, done.output
    assert clients(answer) == {"one": config}


def test_a_server_is_run_and_removed(home, answer, forgotten):
    assert home("run", "one", "--", "serve", "--port", "1").exit_code == 0
    assert clients(answer)["one"]["args"] == ["--port", "1"]
    assert home("remove", "one").exit_code == 0
    assert clients(answer) == {}
    assert home("remove", "one").exit_code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("add", "a b", "--", "x"),
        ("add", "one", "http://127.0.0.1:9/mcp", "--env", "A=b"),
        ("add", "one", "http://127.0.0.1:9/mcp", "--secret", "T=-"),
        ("add", "one", "-H", "A: b", "--", "x"),
        ("add", "one", "-H", "nothing", "http://127.0.0.1:9/mcp"),
        ("add", "one", "--transport", "http", "x"),
        ("add", "one", "--secret", "T=/no/such/file", "--", "x"),
        ("add", "one"),
        ("add", "call", "--", "x"),
    ],
)
def test_what_does_not_fit_is_refused(home, answer, words):
    done = home("--json", *words, input="x")
    assert (done.exit_code, json.loads(done.stderr)["error"]["code"]) == (2, "VALIDATION_ERROR")
    assert clients(answer) == {}


ECHO = str(Path(__file__).parent.parent / "support" / "echo.py")


def test_how_servers_are_is_seen(home, answer, forgotten):
    assert home("add", "echo", "--", sys.executable, ECHO, "modern").exit_code == 0
    assert home("add", "gone", "--", "/no/such/program").exit_code == 0
    ready = home("--json", "check", "echo")
    assert (ready.exit_code, json.loads(ready.stdout)["era"]) == (0, "modern")
    later = home("--json", "check", "gone")
    told = json.loads(later.stdout)
    assert later.exit_code == {"transient": 10, "blocked": 11}[told["verdict"]]
    assert told["error"] in home("check", "gone").stdout
    standing = {each["name"]: each["status"] for each in answer("mcp", "list")}
    assert standing.keys() == {"echo", "gone"}
    shown = home("list").stdout
    assert "echo" in shown
    assert "gone" in shown
    assert home("logs", "gone").exit_code == 0
    assert home("check", "nobody").exit_code == 3


def test_what_is_no_mcp_server_cannot_be_checked(home, answer, forgotten):
    config = '{"baseUrl": "http://127.0.0.1:9"}'
    answer("call", "client.create", "name=api", "type=http-api", f"config={config}")
    assert home("check", "api").exit_code == 12
    assert answer("mcp", "list") == []
