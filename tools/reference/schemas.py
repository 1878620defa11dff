"""JSON Schemas as tables."""

import json
import re
from collections.abc import Iterator
from typing import Any

from reference.markdown import link, table
from reference.told import of_fields

Schema = dict[str, Any]


def fields(
    title: str, schema: Schema | bool, shapes: dict[str, Schema], *, asked: bool = False
) -> str:
    """A schema below its title. What it refers to is added to `shapes`."""
    if not isinstance(schema, dict) or not schema:
        return f"{title}: any JSON."
    for name, each in schema.get("$defs", {}).items():
        shapes.setdefault(name, each)
    if "properties" not in schema:
        return f"{title}: {type_text(schema)}."
    if not schema["properties"]:
        return f"{title}: none." if asked else f"{title}: an empty object."
    return f"{title}:\n\n{_properties(schema, asked=asked)}"


def sections(shapes: dict[str, Schema]) -> Iterator[str]:
    """A heading and a table for each shape."""
    for name, schema in sorted(shapes.items()):
        what = schema.get("description", "")
        body = (
            _properties(schema, asked=True) if "properties" in schema else f"{type_text(schema)}."
        )
        yield "\n\n".join(part for part in (f"### {_heading(name)}", what, body) if part)


def _heading(name: str) -> str:
    # An operation may be called as a shape is: the word keeps their headings apart.
    return f"{name} (shape)"


def _properties(schema: Schema, *, asked: bool) -> str:
    required = schema.get("required", ())
    told = of_fields().get(re.sub(r"[\[_].*", "", schema.get("title", "")), {})
    rows = []
    for name, each in schema["properties"].items():
        default = "required" if name in required else json_text(each.get("default"))
        what = each.get("description") or told.get(name, "")
        rows.append((f"`{name}`", type_text(each), *((default,) if asked else ()), what))
    return table(("field", "type", *(("default",) if asked else ()), ""), rows)


def json_text(value: object) -> str:
    """A value as JSON, set as code."""
    return f"`{json.dumps(value)}`"


def type_text(schema: Schema) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return link(_heading(name), name)
    if "anyOf" in schema:
        return " or ".join(type_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(json_text(each) for each in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    if kind == "object" and "properties" not in schema:
        values = schema.get("additionalProperties")
        return f"object of {type_text(values)}" if isinstance(values, dict) and values else "object"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", {low} or more"
    return f", {schema['format']}" if "format" in schema else ""
