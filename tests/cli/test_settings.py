"""Settings that do not fit are named, wherever they come from."""

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.settings import load


def refused(tmp_path, text="", **environment) -> str:
    """The name of the setting that was refused."""
    file = tmp_path / "hub.toml"
    file.write_text(text)
    with pytest.raises(Invalid) as error:
        load(file, environment)
    (field,) = error.value.details["errors"]
    assert field["expected"]
    return field["field"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("portt = 1", "portt"),
        ("port = 70000", "port"),
        ("call_timeout_s = 0", "call_timeout_s"),
        ("port = ", "config"),
    ],
)
def test_what_a_file_says(tmp_path, text, field):
    assert refused(tmp_path, text) == field


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("HUBBUB_PORT", "many", "port"),
        ("HUBBUB_DATABASE", "postgresql://me:secret@host/hub", "HUBBUB_DATABASE"),
        ("HUBBUB_DATABASE", "postgresql://me@host/hub?password=secret", "HUBBUB_DATABASE"),
        ("HUBBUB_OTLP_ENDPOINT", "https://me:secret@host/v1/traces", "HUBBUB_OTLP_ENDPOINT"),
    ],
)
def test_what_the_environment_says(tmp_path, name, value, field):
    assert refused(tmp_path, **{name: value}) == field


def test_the_environment_goes_before_the_file_and_the_command_line_before_both(tmp_path):
    file = tmp_path / "hub.toml"
    file.write_text('host = "file"\nport = 1\nlog_level = "debug"')
    settings = load(file, {"HUBBUB_HOST": "environment", "HUBBUB_PORT": "2"}, {"port": 3})
    assert (settings.log_level, settings.host, settings.port) == ("debug", "environment", 3)
