"""Settings with comments, changed at one place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.interfaces.cli.mcp import jsonc
from hubbub.kernel.errors import Invalid

ENTRY = {"command": "hubbub", "args": ["mcp", "stdio"]}
SHOWN = json.dumps(ENTRY, indent=2).replace("\n", "\n    ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f'{{\n  "mcpServers": {{\n    "hub": {SHOWN}\n  }}\n}}\n'),
        ("{}", f'{{\n  "mcpServers": {{\n    "hub": {SHOWN}\n  }}\n}}'),
        (
            '{\n  "mcpServers": {}\n}\n',
            f'{{\n  "mcpServers": {{\n    "hub": {SHOWN}\n  }}\n}}\n',
        ),
        (
            '{\n  "mcpServers": {\n    // none yet\n  }\n}',
            f'{{\n  "mcpServers": {{\n    // none yet\n    "hub": {SHOWN}\n  }}\n}}',
        ),
        (
            '{\n  "mcpServers": {\n    "a": {"url": "http://a"} // mine\n  },\n  "b": 1\n}',
            '{\n  "mcpServers": {\n    "a": {"url": "http://a"}, // mine\n'
            f'    "hub": {SHOWN}\n  }},\n  "b": 1\n}}',
        ),
        (
            '{\n  "mcpServers": {\n    "a": {}, /* kept */\n  },\n}',
            f'{{\n  "mcpServers": {{\n    "a": {{}}, /* kept */\n    "hub": {SHOWN},\n  }},\n}}',
        ),
        (
            '{"mcpServers": {"a": 1}}',
            '{"mcpServers": {"a": 1, "hub": {"command": "hubbub", "args": ["mcp", "stdio"]}}}',
        ),
        (
            '{\n\t"mcpServers": {\n\t\t"hub": null\n\t}\n}',
            '{\n\t"mcpServers": {\n\t\t"hub": {\n\t\t\t"command": "hubbub",\n\t\t\t"args": [\n'
            '\t\t\t\t"mcp",\n\t\t\t\t"stdio"\n\t\t\t]\n\t\t}\n\t}\n}',
        ),
    ],
)
def test_a_member_is_added_as_the_others_are_written(before, after):
    changed = jsonc.with_member(before, ("mcpServers", "hub"), ENTRY)
    assert changed == after
    assert jsonc.read(changed)["mcpServers"]["hub"] == ENTRY


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a": }',
        '{"a" 1}',
        "[1,,2]",
        "nul",
        '{"a": 1} x',
        "{'a': 1}",
        '{"a": "\n"}',
        "[" * 300,
    ],
)
def test_what_is_no_json_is_not_touched(text):
    with pytest.raises(Invalid):
        jsonc.with_member(text, ("mcpServers", "hub"), ENTRY)


def test_what_is_no_object_is_not_replaced_by_one():
    with pytest.raises(Invalid):
        jsonc.with_member('{"mcpServers": []}', ("mcpServers", "hub"), ENTRY)


def test_of_several_members_of_one_name_the_last_counts():
    text = '{"a": {"x": 1}, "a": {"y": 2}}'
    assert jsonc.read(text) == {"a": {"y": 2}}
    assert jsonc.read(jsonc.with_member(text, ("a", "z"), 3)) == {"a": {"y": 2, "z": 3}}


# Texts as people write them: values, with whatever they may put between.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
BETWEEN = st.sampled_from(
    ["", " ", "\n", "\n  ", "\t", " // a } comment\n", "/* , { */", "\r\n    "]
)


@st.composite
def written(draw, value):
    """A text of JSON that says `value`."""
    match value:
        case dict() | list():
            opening, closing = "{}" if isinstance(value, dict) else "[]"
            text, rest = opening + draw(BETWEEN), len(value)
            for each in value:
                rest -= 1
                if isinstance(value, dict):
                    text += json.dumps(each) + draw(BETWEEN) + ":" + draw(BETWEEN)
                    each = value[each]
                text += draw(written(each)) + draw(BETWEEN)
                text += "," if rest or draw(st.booleans()) else ""
                text += draw(BETWEEN)
            return text + closing
        case _:
            return json.dumps(value)


@st.composite
def files(draw):
    """A file of settings, and what it says."""
    said = draw(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
    if draw(st.booleans()):
        said["mcpServers"] = draw(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
    said.pop("new", None)
    return draw(BETWEEN) + draw(written(said)) + draw(BETWEEN), said


@settings(max_examples=40)
@given(files())
def test_a_text_says_what_it_says(file):
    text, said = file
    assert jsonc.read(text) == said


@settings(max_examples=40)
@given(files(), VALUES)
def test_a_change_changes_one_member_and_keeps_every_comment(file, value):
    text, said = file
    changed = jsonc.with_member(text, ("mcpServers", "new"), value)
    servers = {**said.get("mcpServers", {}), "new": value}
    assert jsonc.read(changed) == {**said, "mcpServers": servers}
    for comment in (" // a } comment", "/* , { */"):
        assert changed.count(comment) >= text.count(comment)


@settings(max_examples=40)
@given(files(), VALUES)
def test_what_is_added_and_taken_out_again_leaves_the_same_said(file, value):
    text, said = file
    changed = jsonc.with_member(text, ("mcpServers", "new"), value)
    back = jsonc.without_member(changed, ("mcpServers", "new"))
    assert jsonc.read(back) == {**said, "mcpServers": said.get("mcpServers", {})}


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "mcpServers": {\n    "a": {"url": "http://a"} // mine\n  },\n  "b": 1\n}\n',
        '{\n  // before\n  "mcpServers": {\n    "a": {}, /* kept */\n  },\n}\n',
        '{"mcpServers": {"a": 1}}',
        '{\r\n  "mcpServers": {\r\n    "a": 1\r\n  }\r\n}\r\n',
        '{\n  "mcpServers": {}\n}\n',
    ],
)
def test_what_is_added_and_taken_out_again_leaves_the_text_as_it_was(text):
    changed = jsonc.with_member(text, ("mcpServers", "hub"), ENTRY)
    assert jsonc.without_member(changed, ("mcpServers", "hub")) == text
