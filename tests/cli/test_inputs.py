"""What is typed becomes what an operation's schema wants."""

import click
import pytest

from hubbub.interfaces.cli.flags import camel, flags_of, input_of, kebab
from hubbub.interfaces.cli.inputs import given
from hubbub.interfaces.cli.names import own_name, spoke_of
from hubbub.kernel.errors import Invalid

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 3},
        "exact": {"type": "boolean"},
        "level": {"enum": ["low", "high"], "default": "low"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "spot": {"$ref": "#/$defs/Spot"},
        "spots": {"type": "array", "items": {"$ref": "#/$defs/Spot"}},
        "anything": {},
    },
    "required": ["text"],
    "$defs": {"Spot": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([], {}),
        (["text=3"], {"text": "3"}),
        (["text=a=b"], {"text": "a=b"}),
        (["maybe=null"], {"maybe": "null"}),
        (["count=3"], {"count": 3}),
        (["count=many"], {"count": "many"}),
        (["exact=true"], {"exact": True}),
        (["level=high"], {"level": "high"}),
        (["tags=1", "tags=b"], {"tags": ["1", "b"]}),
        (['tags=["a","b"]'], {"tags": ["a", "b"]}),
        (["sizes=1", "sizes=2"], {"sizes": [1, 2]}),
        (['spot={"x":1}'], {"spot": {"x": 1}}),
        (['spots={"x":1}'], {"spots": [{"x": 1}]}),
        (["anything=3"], {"anything": 3}),
        (["anything=three"], {"anything": "three"}),
        (["unknown=[1]"], {"unknown": [1]}),
        (["unknown=NaN"], {"unknown": "NaN"}),
        (["unknown=" + "[" * 20_000], {"unknown": "[" * 20_000}),
    ],
)
def test_a_value_is_read_as_its_field_has_it(pairs, fields):
    assert given(pairs, SCHEMA) == fields


@pytest.mark.parametrize("pair", ["text", "=3"])
def test_a_word_that_names_no_field_is_refused(pair):
    with pytest.raises(Invalid) as refusal:
        given([pair], SCHEMA)
    assert refusal.value.details["errors"] == [
        {"field": "input", "expected": "key=value", "got": pair}
    ]


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["--text", "a"], {"text": "a"}),
        (["--text", "a", "--count", "4"], {"text": "a", "count": 4}),
        (["--text", "a", "--exact"], {"text": "a", "exact": True}),
        (["--text", "a", "--no-exact"], {"text": "a", "exact": False}),
        (["--text", "a", "--level", "high"], {"text": "a", "level": "high"}),
        (["--text", "a", "--tags", "1", "--tags", "b"], {"text": "a", "tags": ["1", "b"]}),
        (["--text", "a", "--sizes", "1"], {"text": "a", "sizes": [1]}),
        (["--text", "a", "--spot", '{"x":1}'], {"text": "a", "spot": {"x": 1}}),
        (["--text", "a", "--spots", '{"x":1}'], {"text": "a", "spots": [{"x": 1}]}),
        (["--text", "a", "--anything", "null"], {"text": "a"}),
    ],
)
def test_flags_become_the_input(words, fields):
    assert parsed(words) == fields


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--text", "a", "--count", "many"],
        ["--text", "a", "--level", "middle"],
        ["--text", "a", "--spot", "{"],
        ["--text", "a", "--spot", "[" * 20_000],
    ],
)
def test_flags_that_do_not_fit_are_refused_before_anything_is_sent(words):
    with pytest.raises(click.UsageError):
        parsed(words)


def test_the_required_flags_come_first_and_defaults_are_told():
    options = [flag.option for flag in flags_of({**SCHEMA, "required": ["tags"]})]
    assert [option.opts[0] for option in options][:2] == ["--tags", "--text"]
    assert {option.opts[0]: option.help for option in options}["--count"] == "[default: 3]"


@pytest.mark.parametrize("schema", [True, {}, {"type": "object"}])
def test_an_input_of_which_nothing_is_said_has_no_flags(schema):
    assert flags_of(schema) == []


@pytest.mark.parametrize(
    ("published", "typed"),
    [("displayName", "display-name"), ("apiKey", "api-key"), ("id", "id"), ("dev.fs", "dev.fs")],
)
def test_names_are_typed_with_dashes(published, typed):
    assert (kebab(published), camel(typed)) == (typed, published)


def test_people_leave_the_spokes_id_out():
    spoke = "2da640d6-5fa0-404a-88ea-9f5c9e966df3"
    assert own_name(f"dev.{spoke}.fs.read") == "dev.fs.read"
    assert spoke_of(f"dev.{spoke}.fs.read") == spoke
    assert (own_name("dev.fs.read"), spoke_of("dev.fs.read")) == ("dev.fs.read", None)


def parsed(words):
    flags = flags_of(SCHEMA)
    command = click.Command("command", params=[flag.option for flag in flags])
    return input_of(flags, command.make_context("command", list(words)).params)
