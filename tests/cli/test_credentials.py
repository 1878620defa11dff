"""Keys are kept for this user alone, filed by hub."""

import pytest

from hubbub.interfaces.cli import credentials
from hubbub.kernel.errors import Invalid


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize(
    ("url", "hub"),
    [
        ("http://127.0.0.1:4820", "http://127.0.0.1:4820"),
        ("http://localhost:4820/", "http://127.0.0.1:4820"),
        ("https://Hub.Example.org/", "https://hub.example.org"),
        ("https://example.org/hub/", "https://example.org/hub"),
        ("http://[::1]:4820", "http://[::1]:4820"),
        ("http://someone:secret@127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_a_hub_has_one_name(url, hub):
    assert credentials.filed_as(url) == hub


@pytest.mark.parametrize("url", ["", "hub", "ws://a:1", "http://", "http://a:many"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Invalid):
        credentials.filed_as(url)


def test_keys_are_saved_and_forgotten_one_by_one():
    for name, key in (("http://a:1", "one"), ("http://b:2", 'two "quoted"'), ("http://a:1", "new")):
        file = credentials.save(name, key)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [credentials.load(f"http://{name}") for name in ("a:1", "b:2", "c:3")] == [
        "new",
        'two "quoted"',
        None,
    ]
    assert (credentials.forget("http://a:1"), credentials.forget("http://a:1")) == (True, False)
    assert credentials.load("http://b:2") == 'two "quoted"'
    assert [each.name for each in file.parent.iterdir()] == ["credentials.toml"]


def test_a_file_that_is_no_toml_is_left_as_it_is():
    credentials.path().parent.mkdir(parents=True)
    credentials.path().write_text("[[")
    with pytest.raises(Invalid):
        credentials.save("http://a:1", "key")
    assert credentials.path().read_text() == "[["
