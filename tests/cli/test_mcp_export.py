"""The hub in the settings of the programs that use it."""

import json
import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.interfaces.cli.mcp import entries, jsonc, servers, writing
from hubbub.interfaces.cli.mcp.clients import CLIENTS, PLAIN
from hubbub.interfaces.cli.mcp.planning import is_hub
from hubbub.kernel.errors import Invalid

HUBBUB = str(Path(sys.executable).with_name("hubbub"))
URL = "http://127.0.0.1:4820/mcp"
KNOWN = [*CLIENTS.values(), PLAIN]
EXISTING = {
    "claude-desktop": '{\n    "mcpServers": {\n        "x": {"command": "x"}\n    }\n}',
    "claude-code": '{\n  "numStartups": 3,\n  "projects": {}\n}\n',
    "cursor": '{"mcpServers":{"x":{"url":"http://x/mcp"}}}\n',
    "vscode": '{\n\t// Mine\n\t"servers": {\n\t\t"x": {"command": "x"}, // x\n\t},\n'
    '\t"inputs": []\n}\n',
    "codex": '# mine\nmodel = "m"  # best\n\n'
    '[mcp_servers.x]\ncommand = "x"\nargs = [\n  "a", # one\n]\n'
    "\n[tui]\ntheme = 'dark'\n",
    "gemini": '{\r\n  "theme": "x",\r\n  "mcpServers": {}\r\n}\r\n',
    "zed": '// Zed settings\n{\n  "context_servers": {\n    "x": {"command": "x"},\n  },\n}\n',
    "plain": "{}",
}


def of(client, via):
    if via == "http":
        return entries.by_address(client, URL)
    return entries.by_command(client, ["/bin/hubbub", "mcp", "stdio"], {"XDG_CONFIG_HOME": "/c"})


def ways():
    for client in KNOWN:
        for via in ("stdio", "http"):
            if via == "stdio" or client.id not in ("zed", "claude-desktop"):
                yield pytest.param(client, via, id=f"{client.id}-{via}")


@pytest.mark.parametrize(("client", "via"), list(ways()))
@pytest.mark.parametrize("empty", [False, True])
def test_what_is_written_is_read_as_the_hub(client, via, empty):
    text = "" if empty else EXISTING[client.id]
    changed = writing.with_entry(client, text, "hubbub", of(client, via))
    read = writing._read(client, changed)
    found = {each.name: each for each in servers.entries(client, read, "/")}
    hub = found["hubbub"]
    assert (hub.command, hub.url) == (("/bin/hubbub", None) if via == "stdio" else (None, URL))
    config = {"transport": hub.transport, "command": hub.command, "args": hub.args, "url": hub.url}
    assert is_hub(config, "http://127.0.0.1:4820")


@pytest.mark.parametrize(("client", "via"), list(ways()))
def test_what_was_there_stays_as_it_was(client, via):
    before = EXISTING[client.id]
    after = writing.with_entry(client, before, "hubbub", of(client, via))
    assert writing.with_entry(client, after, "hubbub", of(client, via)) == after
    if client.syntax == "toml":
        assert after.startswith(before)
    elif (client.id, via) != ("vscode", "http"):  # which adds a question besides
        there = client.section[0] in jsonc.read(before)
        path = (*client.section, "hubbub") if there else client.section
        assert jsonc.without_member(after, path) == before


@pytest.mark.parametrize("client", KNOWN, ids=lambda client: client.id)
def test_no_key_is_ever_written(client):
    for via in ("stdio", "http"):
        try:
            assert "hub_" not in str(of(client, via))
        except Invalid:
            assert (client.id, via) in {("zed", "http"), ("claude-desktop", "http")}


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("codex", "[mcp_servers"),
        ("codex", "mcp_servers = 3"),
        ("cursor", '{"mcpServers": {'),
        ("cursor", '{"mcpServers": []}'),
        ("zed", "[]"),
    ],
)
def test_what_cannot_be_read_is_not_touched(client, text):
    with pytest.raises(Invalid):
        writing.with_entry(CLIENTS[client], text, "hubbub", {"command": "x"})


KEYS = st.text("abcxyz", min_size=1, max_size=3)
TOML_VALUES = st.integers(-9, 9) | st.booleans() | st.text("ab \"'\\é", max_size=5)


@given(
    st.dictionaries(KEYS, TOML_VALUES, max_size=3),
    st.dictionaries(KEYS, st.dictionaries(KEYS, TOML_VALUES, max_size=3), max_size=3),
    st.booleans(),
)
def test_other_settings_in_toml_stay_byte_for_byte(top, tables, inline):
    lines = [f"{key} = {json.dumps(value)}  # kept" for key, value in top.items()]
    for name, values in tables.items():
        if inline:
            inner = ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
            lines.append(f"mcp_servers.{name} = {{ {inner} }}")
        else:
            lines.append(f"\n[mcp_servers.{name}] # {name}")
            lines += [f"{key}   = {json.dumps(value)}" for key, value in values.items()]
    text = "\n".join(lines) + "\n"
    client = CLIENTS["codex"]
    changed = writing.with_entry(client, text, "hubbub", {"command": "h", "args": ["mcp"]})
    assert changed.startswith(text)
    assert tomllib.loads(changed)["mcp_servers"] == {
        **tables,
        "hubbub": {"command": "h", "args": ["mcp"]},
    }
    back = writing.without_entry(client, changed, "hubbub")
    said = tomllib.loads(text)
    assert {"mcp_servers": {}, **tomllib.loads(back)} == {"mcp_servers": {}, **said}


# By the command.


@pytest.fixture
def home(tmp_path, cli):
    """A home without a hub's key, and the command in it."""

    def run(*words, **env):
        places = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return cli(*words, **places, **env)

    run.path = tmp_path
    return run


def test_the_hub_is_written_into_a_clients_settings_and_taken_out_again(home):
    file = home.path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    before = '{\n  "mcpServers": {\n    "x": {"command": "x"} // mine\n  }\n}\n'
    file.write_text(before)
    file.chmod(0o640)
    done = home("mcp", "export", "--to", "cursor")
    assert done.exit_code == 0, done.output
    assert '+    "hubbub": {' in done.stdout
    found = json.loads(file.read_text().replace("// mine", ""))
    assert found["mcpServers"]["hubbub"]["command"] == HUBBUB
    assert found["mcpServers"]["hubbub"]["args"][-2:] == ["mcp", "stdio"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (home.path / ".cursor" / "mcp.json.hubbub-backup").read_text() == before
    again = home("mcp", "export", "--to", "cursor")
    assert "is as it should be" in again.stdout
    undone = home("mcp", "export", "--to", "cursor", "--undo")
    assert (undone.exit_code, file.read_text()) == (0, before)
    assert os.listdir(file.parent) == ["mcp.json"]


def test_what_was_changed_since_is_kept_by_an_undo(home):
    file = home.path / ".codex" / "config.toml"
    file.parent.mkdir()
    file.write_text('model = "m"\n')
    assert home("mcp", "export", "--to", "codex", "--all").exit_code == 0
    assert tomllib.loads(file.read_text())["mcp_servers"]["hubbub"]["args"][-1] == "--all"
    file.write_text(file.read_text() + '\n[tui]\ntheme = "dark"\n')
    assert home("mcp", "export", "--to", "codex", "--undo").exit_code == 0
    left = tomllib.loads(file.read_text())
    assert (left["model"], left["tui"]) == ("m", {"theme": "dark"})
    assert "hubbub" not in left.get("mcp_servers", {})


def test_an_entry_that_stood_there_before_is_put_back(home):
    file = home.path / "mcp.json"
    file.write_text('{"mcpServers": {"hubbub": {"command": "old"}}}')
    words = ("mcp", "export", "--to", "plain", "--file", str(file))
    assert home(*words).exit_code == 0
    file.write_text(file.read_text().replace("{", '{"more": 1, ', 1))
    assert home(*words, "--undo").exit_code == 0
    left = json.loads(file.read_text())
    assert left == {"more": 1, "mcpServers": {"hubbub": {"command": "old"}}}


def test_a_file_that_was_not_there_is_gone_after_an_undo(home):
    file = home.path / "config" / "zed" / "settings.json"
    for words in ((), ("--profile", "mine")):
        assert home("mcp", "export", "--to", "zed", *words).exit_code == 0
        assert file.exists()
    assert home("mcp", "export", "--to", "zed", "--undo").exit_code == 0
    assert not file.exists()


def test_a_dry_run_writes_nothing_and_a_link_stays_one(home):
    real, file = home.path / "real.json", home.path / ".gemini" / "settings.json"
    real.write_text("{}\n")
    file.parent.mkdir()
    file.symlink_to(real)
    done = home("mcp", "export", "--to", "gemini", "--dry-run", "--json")
    told = json.loads(done.stdout)["files"][0]
    assert (told["changed"], real.read_text()) == (False, "{}\n")
    assert "+" in told["diff"]
    done = home("mcp", "export", "--to", "gemini", "--via", "http", "--json")
    assert done.exit_code == 0
    assert file.is_symlink()
    written = json.loads(real.read_text())["mcpServers"]["hubbub"]
    assert written["headers"] == {"Authorization": "Bearer $HUBBUB_KEY"}


def test_vs_code_asks_for_the_key_itself(home):
    file = home.path / "mcp.json"
    words = ("mcp", "export", "--to", "vscode", "--file", str(file), "--via", "http")
    assert home(*words).exit_code == 0
    found = json.loads(file.read_text())
    assert found["servers"]["hubbub"]["headers"] == {"Authorization": "Bearer ${input:hubbub-key}"}
    assert [each["id"] for each in found["inputs"]] == ["hubbub-key"]
    assert home(*words, "--undo").exit_code == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", "zed", "--via", "http"), "VALIDATION_ERROR"),
        (("--to", "cursor", "--undo"), "NOT_FOUND"),
        (("--to", "cursor", "--all", "--profile", "x"), "VALIDATION_ERROR"),
        (("--to", "plain"), "VALIDATION_ERROR"),
    ],
)
def test_what_cannot_be_done_says_so(home, words, code):
    done = home("mcp", "export", *words, "--json")
    assert json.loads(done.stderr)["error"]["code"] == code


def test_of_several_files_none_is_written_if_one_cannot_be_read(home):
    (home.path / ".gemini").mkdir()
    (home.path / ".gemini" / "settings.json").write_text("{")
    done = home("mcp", "export", "--to", "cursor", "--to", "gemini", "--json")
    assert done.exit_code == 2
    assert not (home.path / ".cursor").exists()
