"""What clients keep of their servers, and what becomes of it as clients of the hub."""

import tomllib
from typing import Any

import pytest

from hubbub.interfaces.cli.mcp import dotenv, jsonc, names, servers
from hubbub.interfaces.cli.mcp.clients import CLIENTS, PLAIN, of_file
from hubbub.interfaces.cli.mcp.expansion import Surroundings
from hubbub.interfaces.cli.mcp.planning import Ready, Refused, Skipped, Source, planned
from hubbub.kernel.errors import Invalid

HUB = "http://127.0.0.1:4820"
ENVIRONMENT = {"GITHUB_TOKEN": "ghp-secret", "PLACE": "here", "EMPTY": "", "DB_PASSWORD": "hush"}


def source(client: str, text: str, *, title: str = "there", at_home: bool = False) -> Source:
    known = CLIENTS.get(client, PLAIN)
    read = tomllib.loads(text) if known.syntax == "toml" else jsonc.read(text)
    return Source(
        title=title,
        entries=servers.entries(known, read, "/people/ada/work"),
        surroundings=Surroundings(
            environment=ENVIRONMENT,
            folder="/people/ada/work",
            home="/people/ada",
            ask={"asked": "typed"}.get,
            bare=known.bare,
        ),
        read_env={"/e/.env": {"API_KEY": "from-file", "MODE": "fast"}}.__getitem__,
        at_home=at_home,
    )


def steps(client: str, text: str, **options: Any) -> list[Any]:
    return planned([source(client, text)], hub=HUB, there={}, **options)


def only(client: str, text: str) -> tuple[dict[str, Any], dict[str, str]]:
    (step,) = steps(client, text)
    assert isinstance(step, Ready), step
    return step.config, step.secrets


STDIO = {"transport": "stdio", "command": "npx", "args": ["-y", "thing"]}
HTTP = {"transport": "streamable-http", "url": "https://e.com/mcp"}


@pytest.mark.parametrize(
    ("client", "text", "config"),
    [
        (
            "claude-desktop",
            '{"mcpServers": {"a": {"command": "npx", "args": ["-y", "thing"]}}}',
            STDIO,
        ),
        (
            "claude-code",
            '{"mcpServers": {"a": {"type": "http", "url": "https://e.com/mcp"}}}',
            HTTP,
        ),
        (
            "claude-code",
            '{"projects": {"/people/ada/work": {"mcpServers": {"a": {"type": "stdio",'
            ' "command": "npx", "args": ["-y", "thing"], "env": {}}}}, "/else": {"mcpServers":'
            ' {"b": {"command": "b"}}}}}',
            {**STDIO, "cwd": "/people/ada/work"},
        ),
        (
            "claude-code",
            '{"mcpServers": {"a": {"type": "sse", "url": "https://e.com/events"}}}',
            {"transport": "sse", "url": "https://e.com/events"},
        ),
        ("cursor", '{"mcpServers": {"a": {"url": "https://e.com/mcp"}}}', HTTP),
        (
            "cursor",
            '{"mcpServers": {"a": {"url": "https://e.com/sse"}}}',
            {"transport": "sse", "url": "https://e.com/sse"},
        ),
        (
            "vscode",
            '{// mine\n"servers": {"a": {"type": "stdio", "command": "npx",'
            ' "args": ["-y", "thing"], "cwd": "${workspaceFolder}/sub"},},}',
            {**STDIO, "cwd": "/people/ada/work/sub"},
        ),
        ("vscode", '{"servers": {"a": {"type": "http", "url": "https://e.com/mcp"}}}', HTTP),
        ("vscode", '{"mcp": {"servers": {"a": {"url": "https://e.com/mcp"}}}}', HTTP),
        (
            "codex",
            '[mcp_servers.a]\ncommand = "npx"\nargs = ["-y", "thing"]\nenv_vars = ["PLACE"]\n'
            "startup_timeout_sec = 20\ntool_timeout_sec = 90.5\nenabled = true\n"
            '[mcp_servers.a.env]\nMODE = "fast"\n',
            {
                **STDIO,
                "env": {"PLACE": "here", "MODE": "fast"},
                "connectTimeoutS": 20.0,
                "callTimeoutS": 90.5,
            },
        ),
        (
            "codex",
            '[mcp_servers.a]\nurl = "https://e.com/mcp"\nhttp_headers = { X-Team = "blue" }\n'
            'env_http_headers = { X-Place = "PLACE" }\n',
            {**HTTP, "headers": {"X-Team": "blue", "X-Place": "here"}},
        ),
        ("gemini", '{"mcpServers": {"a": {"httpUrl": "https://e.com/mcp"}}}', HTTP),
        (
            "gemini",
            '{"mcpServers": {"a": {"url": "https://e.com/x", "timeout": 5000}}}',
            {"transport": "sse", "url": "https://e.com/x", "callTimeoutS": 5.0},
        ),
        (
            "gemini",
            '{"mcpServers": {"a": {"command": "npx", "args": ["-y", "thing"],'
            ' "env": {"WHERE": "$PLACE"}}}}',
            {**STDIO, "env": {"WHERE": "here"}},
        ),
        (
            "zed",
            '{"context_servers": {"a": {"source": "custom", "command": "npx",'
            ' "args": ["-y", "thing"], "env": null}}} // end',
            STDIO,
        ),
        (
            "zed",
            '{"context_servers": {"a": {"command": {"path": "npx", "args": ["-y", "thing"],'
            ' "env": {"M": "1"}}, "settings": {}}}}',
            {**STDIO, "env": {"M": "1"}},
        ),
        ("zed", '{"context_servers": {"a": {"url": "https://e.com/mcp"}}}', HTTP),
        ("plain", '{"mcpServers": {"a": {"serverUrl": "https://e.com/mcp"}}}', HTTP),
        (
            "plain",
            '{"mcpServers": {"a": {"type": "streamableHttp", "url": "https://e.com/mcp"}}}',
            HTTP,
        ),
        (
            "plain",
            '{"a": {"command": ["npx", "-y", "thing"], "environment": {"N": 1}}}',
            {**STDIO, "env": {"N": "1"}},
        ),
    ],
)
def test_each_client_writes_its_servers_in_its_own_way(client, text, config):
    assert only(client, text) == (config, {})


@pytest.mark.parametrize(
    ("text", "config", "secrets"),
    [
        (
            '{"command": "x", "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "MODE": "${MODE:-slow}"}}',
            {"command": "x", "env": {"GITHUB_TOKEN": "${secret:GITHUB_TOKEN}", "MODE": "slow"}},
            {"GITHUB_TOKEN": "ghp-secret"},
        ),
        (
            '{"url": "https://e.com/mcp", "headers":'
            ' {"Authorization": "Bearer ${env:GITHUB_TOKEN}"}}',
            {
                "url": "https://e.com/mcp",
                "headers": {"Authorization": "Bearer ${secret:GITHUB_TOKEN}"},
            },
            {"GITHUB_TOKEN": "ghp-secret"},
        ),
        (
            '{"url": "https://e.com/mcp", "headers": {"Authorization": "Bearer abc", "X-Api-Key":'
            ' "${PLACE}"}}',
            {
                "url": "https://e.com/mcp",
                "headers": {
                    "Authorization": "Bearer ${secret:AUTHORIZATION}",
                    "X-Api-Key": "${secret:X_API_KEY}",
                },
            },
            {"AUTHORIZATION": "abc", "X_API_KEY": "here"},
        ),
        (
            '{"command": "x", "args": ["--api-key", "k1", "--token=k2", "-e", "DB_PASSWORD=p",'
            ' "--name", "v", "${DB_PASSWORD}"]}',
            {
                "command": "x",
                "args": [
                    *("--api-key", "${secret:API_KEY}", "--token=${secret:TOKEN}", "-e"),
                    *("DB_PASSWORD=${secret:DB_PASSWORD}", "--name", "v"),
                    "${secret:DB_PASSWORD_2}",
                ],
            },
            {"API_KEY": "k1", "TOKEN": "k2", "DB_PASSWORD": "p", "DB_PASSWORD_2": "hush"},
        ),
        (
            '{"url": "https://ada:pw@e.com/mcp?team=a%20b&api_key=k%2F1"}',
            {
                "url": "https://ada:${secret:URL_PASSWORD}@e.com/mcp?team=a%20b"
                "&api_key=${secret:API_KEY}"
            },
            {"URL_PASSWORD": "pw", "API_KEY": "k%2F1"},
        ),
        (
            '{"url": "https://e.com/${GITHUB_TOKEN}/mcp?api_key=k&t=${DB_PASSWORD}&p=${PLACE}"}',
            {
                "url": "https://e.com/${secret:GITHUB_TOKEN}/mcp?api_key=${secret:API_KEY}"
                "&t=${secret:DB_PASSWORD}&p=here"
            },
            {"GITHUB_TOKEN": "ghp-secret", "API_KEY": "k", "DB_PASSWORD": "hush"},
        ),
        (
            '{"command": "x", "envFile": "/e/.env", "env": {"MODE": "slow"}}',
            {"command": "x", "env": {"API_KEY": "${secret:API_KEY}", "MODE": "slow"}},
            {"API_KEY": "from-file"},
        ),
        (
            '{"command": "x", "env": {"SERVICE_KEY": "${input:asked}", "EMPTY_TOKEN": ""}}',
            {"command": "x", "env": {"SERVICE_KEY": "${secret:SERVICE_KEY}", "EMPTY_TOKEN": ""}},
            {"SERVICE_KEY": "typed"},
        ),
    ],
)
def test_no_secret_stays_in_a_config(text, config, secrets):
    found, kept = only("cursor", f'{{"mcpServers": {{"a": {text}}}}}')
    del found["transport"]
    assert (found, kept) == (config, secrets)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('{"command": "x", "env": {"A": "${NOT_SET}"}}', "NOT_SET is not set in your environment"),
        (
            '{"command": "x", "env": {"A": "${input:my-key}"}}',
            "${input:my-key} is asked for: set MY_KEY, or import at a terminal",
        ),
        (
            '{"command": "${extensionPath}", "args": ["${command:pick}"]}',
            "extensionPath is not set in your environment; ${command:pick} means nothing outside"
            " of that client",
        ),
        ('{"args": []}', "it names no command, no URL"),
        ('{"command": "x", "url": "http://y"}', "it names a command and a URL"),
        ('{"type": "http", "command": "x"}', "its type is streamable-http, and it names a command"),
        ('{"type": "ws", "url": "ws://y"}', "its type is ws, which the hub does not speak"),
        ('{"command": "x", "args": "y"}', "its args are no list"),
        ('{"command": "x", "env": {"A": {}}}', "its env holds something other than texts"),
        ("3", "it is no object"),
    ],
)
def test_what_cannot_be_taken_over_says_why(written, why):
    found = steps("cursor", f'{{"mcpServers": {{"a": {written}}}}}')
    assert found == [Refused(name="a", source="there", why=why)]


@pytest.mark.parametrize(
    "written",
    [
        '{"url": "http://localhost:4820/mcp"}',
        '{"url": "http://127.0.0.1:4820/mcp/all"}',
        '{"url": "http://[::1]:4820/mcp/profiles/x"}',
        '{"command": "/opt/bin/hubbub", "args": ["--url", "http://else", "mcp", "stdio"]}',
        '{"command": "python", "args": ["-m", "hubbub", "mcp", "stdio", "--all"]}',
        '{"command": "npx", "args": ["-y", "mcp-remote", "http://127.0.0.1:4820/mcp"]}',
    ],
)
def test_the_hub_is_not_put_behind_itself(written):
    found = steps("cursor", f'{{"mcpServers": {{"a": {written}}}}}')
    assert found == [Skipped(name="a", source="there", why="it is this hub")]


@pytest.mark.parametrize(
    "written",
    [
        '{"url": "http://127.0.0.1:4821/mcp"}',
        '{"url": "http://127.0.0.1:4820/other"}',
        '{"command": "hubbub", "args": ["spoke", "dev"]}',
    ],
)
def test_what_only_looks_like_the_hub_is_taken_over(written):
    only("cursor", f'{{"mcpServers": {{"a": {written}}}}}')


def test_what_is_switched_off_there_is_left_there():
    text = '{"mcpServers": {"a": {"command": "x", "disabled": true}}}'
    assert steps("cursor", text) == [
        Skipped(name="a", source="there", why="it is switched off there")
    ]
    text = '{"context_servers": {"a": {"source": "extension", "settings": {}}}}'
    assert steps("zed", text) == [
        Skipped(name="a", source="there", why="it is an extension of the editor")
    ]


def test_what_the_hub_does_not_take_over_is_told():
    text = '{"mcpServers": {"My Server": {"command": "x", "trust": true, "includeTools": ["a"]}}}'
    (step,) = steps("gemini", text)
    assert (step.name, step.notes) == (
        "My-Server",
        ("called My Server there", "not taken over: trust, includeTools"),
    )


def test_one_name_is_one_server():
    same = '{"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}'
    other = '{"mcpServers": {"a": {"command": "x"}, "b": {"command": "z"}}}'
    read = [source("cursor", same, title="one"), source("cursor", other, title="two")]
    assert [
        (step.name, step.source, type(step).__name__) for step in planned(read, hub=HUB, there={})
    ] == [
        ("a", "one", "Ready"),
        ("b", "one", "Ready"),
        ("a", "two", "Skipped"),
        ("b", "two", "Refused"),
    ]


def test_what_the_hub_has_already_is_not_made_again():
    text = '{"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}'
    there = {
        "a": {"transport": "stdio", "command": "x"},
        "b": {"transport": "stdio", "command": "other"},
    }
    first, second = planned([source("cursor", text)], hub=HUB, there=there)
    assert (type(first), type(second)) == (Skipped, Refused)
    (renamed,) = planned(
        [source("cursor", text)], hub=HUB, there=there, only=frozenset({"b"}), renamed={"b": "c"}
    )
    assert isinstance(renamed, Ready)
    assert renamed.name == "c"


def test_a_projects_server_runs_in_the_project():
    text = '{"mcpServers": {"a": {"command": "./serve"}, "b": {"command": "x", "cwd": "../y"}}}'
    found = planned([source("claude-code", text, at_home=True)], hub=HUB, there={})
    assert [step.config["cwd"] for step in found] == ["/people/ada/work", "/people/ada/y"]


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("github", "github"),
        ("My Server (v2)", "My-Server-v2"),
        ("@scope/pkg.name", "scope-pkg-name"),
        ("7zip", "mcp-7zip"),
        ("a__b", "a_b"),
        ("日本", "mcp"),
        ("x" * 100, "x" * 64),
    ],
)
def test_names_are_made_fit(name, fitting):
    assert names.fit(name) == fitting


def test_a_file_of_variables_is_read_as_others_read_it():
    text = "# c\nexport A=1\nB = 'two words' # no\nC=\"x\\ny\"\nD=a#b # comment\nnothing\n"
    assert dotenv.read(text) == {"A": "1", "B": "two words", "C": "x\ny", "D": "a#b"}


@pytest.mark.parametrize(
    ("file", "client"),
    [
        ("/p/.vscode/mcp.json", "vscode"),
        ("/p/.cursor/mcp.json", "cursor"),
        ("/h/.gemini/settings.json", "gemini"),
        ("/h/.config/zed/settings.json", "zed"),
        ("/h/.codex/config.toml", "codex"),
        ("/p/servers.json", "plain"),
        ("/p/.mcp.json", "plain"),
    ],
)
def test_a_file_is_known_by_its_place(tmp_path, file, client):
    assert of_file(tmp_path / file.lstrip("/")).id == client


@pytest.mark.parametrize("read", ["[]", "3", '{"mcpServers": []}'])
def test_what_is_no_settings_is_refused(read):
    with pytest.raises(Invalid):
        servers.entries(PLAIN, jsonc.read(read), "/")
