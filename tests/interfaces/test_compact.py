"""A schema in one line."""

import pytest

from hubbub.interfaces.mcp.compact import signature

TREE = {
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    "properties": {"root": {"$ref": "#/$defs/Node"}},
}


def of(schema):
    return {"properties": {"x": schema}, "required": ["x"]}


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({}, ""),
        (True, ""),
        (of({"type": "string"}), "x: string"),
        ({"properties": {"x": {"type": "integer", "default": 3}}}, "x?: integer = 3"),
        (of({"type": "array", "items": {"type": "number"}}), "x: number[]"),
        (of({"enum": ["a", 1]}), 'x: "a" | 1'),
        (of({"const": True}), "x: true"),
        (of({"anyOf": [{"type": "string"}, {"type": "null"}]}), "x: string | null"),
        (of({"type": ["string", "null"]}), "x: string | null"),
        (of({"type": "object", "properties": {"y": {"type": "string"}}}), "x: {y?: string}"),
        (of({}), "x: any"),
        (of({"$ref": "#/$defs/missing"}), "x: any"),
        (TREE, "root?: {next?: {next?: {next?: object}}}"),
    ],
)
def test_the_arguments_stand_in_one_line(schema, line):
    assert signature(schema) == line
