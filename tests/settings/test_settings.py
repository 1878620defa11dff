"""Settings come from a file, the environment and the command line, and are judged once."""

import json
from pathlib import Path

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.settings import Settings, load


def field(**sources):
    """The field that a refusal names."""
    with pytest.raises(Invalid) as refused:
        load(**({"environment": {}} | sources))
    ((error),) = refused.value.details["errors"]
    assert error["expected"]
    return error["field"]


@pytest.fixture
def toml(tmp_path):
    def written(text):
        file = tmp_path / "hubbub.toml"
        file.write_text(text)
        return file

    return written


def test_without_a_word_a_hub_keeps_to_its_own_machine():
    settings = load(environment={})
    assert (settings.host, settings.port, settings.public) == ("127.0.0.1", 4820, False)
    assert settings.database_url.startswith("sqlite:///")


def test_the_data_folder_of_the_user_holds_the_file(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert load(environment={}).database_url == "sqlite:////somewhere/hubbub/hubbub.sqlite"


def test_the_keys_are_beside_the_database_or_in_the_data_folder(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")

    def keys(**overrides):
        return str(load(environment={}, overrides=overrides).key_path)

    assert keys() == "/somewhere/hubbub/hubbub.sqlite.keys"
    assert keys(database="sqlite:///here.sqlite") == "here.sqlite.keys"
    assert keys(database="postgresql://127.0.0.1/hub") == "/somewhere/hubbub/hubbub.keys"
    assert keys(key_file="/run/secrets/hub") == "/run/secrets/hub"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(toml):
    file = toml('port = 1\nhost = "127.0.0.2"\ncall_timeout_s = 5\n')
    settings = load(file, {"HUBBUB_PORT": "2", "HUBBUB_HOST": "127.0.0.3"}, {"port": 3})
    assert (settings.port, settings.host, settings.call_timeout_s) == (3, "127.0.0.3", 5.0)
    assert load(file, {}, {"port": None}).port == 1


def test_every_setting_may_come_from_the_environment():
    said = {
        "HUBBUB_PUBLIC": "true",
        "HUBBUB_HOSTS": "hub.example.org, hub",
        "HUBBUB_DRAIN_S": "0",
        "HUBBUB_PEER_BYTES_MAX": "65536",
        "HUBBUB_DATABASE": "sqlite:////tmp/x.sqlite",
        "HUBBUB_TEST_POSTGRES": "not a setting",
    }
    settings = load(environment=said)
    assert (settings.public, settings.hosts, settings.drain_s) == (
        True,
        ("hub.example.org", "hub"),
        0.0,
    )
    assert (settings.peer_bytes_max, settings.database) == (65536, "sqlite:////tmp/x.sqlite")


def test_no_names_are_no_names():
    assert load(environment={"HUBBUB_HOSTS": ""}).hosts == ()
    assert load(environment={"HUBBUB_HOSTS": " , "}).hosts == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70000),
        ("port", "many"),
        ("port", -1),
        ("call_timeout_s", 0),
        ("call_timeout_s_max", -1),
        ("idle_timeout_s", "soon"),
        ("record_bytes_max", -1),
        ("call_retention_days", -1),
        ("peer_bytes_max", 5),
        ("drain_s", -1),
        ("public", "perhaps"),
        ("host", 5),
        ("log_level", "loud"),
        ("ping_s", 0),
        ("ping_s", 1e300),
        ("call_timeout_s", 1e300),
        ("call_retention_days", 1e300),
        ("drain_s", 1e300),
    ],
)
def test_a_value_that_does_not_fit_names_its_setting(toml, name, value):
    assert field(overrides={name: value}) == name
    assert field(file=toml(f"{name} = {json.dumps(value)}")) == name
    if name != "host":
        assert field(environment={f"HUBBUB_{name.upper()}": str(value)}) == name


def test_an_item_of_a_list_is_named_too(toml):
    assert field(file=toml("hosts = ['a', 5]")) == "hosts[1]"


def test_a_setting_that_there_is_not_is_named(toml):
    assert field(file=toml("prot = 5")) == "prot"


def test_a_file_that_cannot_be_read_is_named(tmp_path, toml):
    assert field(file=tmp_path / "none.toml") == "config"
    assert field(file=toml("= 5")) == "config"
    assert field(file=tmp_path) == "config"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hub:secret@db/hubbub",
        "postgres://:secret@db/hubbub",
        "postgresql://hub@db/hubbub?password=secret",
        "postgresql://hub@db/hubbub?sslmode=require&password=secret",
        "postgresql://hub@db/hubbub?sslpassword=secret",
    ],
)
def test_a_password_is_not_taken_from_the_environment_and_not_repeated(url, toml):
    with pytest.raises(Invalid) as refused:
        load(environment={"HUBBUB_DATABASE": url})
    assert [error["field"] for error in refused.value.details["errors"]] == ["HUBBUB_DATABASE"]
    assert "secret" not in f"{refused.value} {refused.value.details}"
    assert load(toml(f'database = "{url}"'), {}).database == url


def test_a_password_for_where_traces_go_is_not_taken_from_the_environment_either():
    said = {"HUBBUB_OTLP_ENDPOINT": "https://me:secret@host/v1/traces"}
    assert field(environment=said) == "HUBBUB_OTLP_ENDPOINT"


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_no_time_is_without_end(toml, value):
    assert field(file=toml(f"call_timeout_s = {value}")) == "call_timeout_s"


def test_an_address_that_is_none_is_named():
    assert field(environment={"HUBBUB_DATABASE": "postgresql://[::1"}) == "HUBBUB_DATABASE"


def test_every_setting_says_what_it_is_for():
    source = Path(load.__code__.co_filename).read_text()
    for name in Settings.__struct_fields__:
        _, _, after = source.partition(f"\n    {name}: ")
        assert after.split("\n")[1].strip().startswith('"""'), name
