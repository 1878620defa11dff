"""The input of a call from what was typed: text, made what the operation's schema wants. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import UNREADABLE

DEPTH_MAX: Final = 10
NOT_TEXT: Final = frozenset({"integer", "number", "boolean", "object", "array"})


def given(pairs: Sequence[str], schema: object) -> dict[str, Any]:
    """The fields that `key=value` words name. A key that comes again makes a list longer."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals):
            raise Invalid(
                f"{pair!r} names no field",
                errors=[{"field": "input", "expected": "key=value", "got": pair}],
            )
        kinds = kinds_of(field_of(schema, key), schema)
        value = value_of(text, kinds)
        if "array" in kinds and not isinstance(value, list):
            fields[key] = [*fields.get(key, ()), value_of(text, kinds_of_items(schema, key))]
        else:
            fields[key] = value
    return fields


def value_of(text: str, kinds: frozenset[str]) -> Any:
    """Text as one of the kinds of a schema; what fits none of them stays text, for the hub to
    refuse with a word on what it expects. Where nothing is said, what reads as JSON is JSON."""
    if kinds and not kinds & NOT_TEXT:
        return text
    try:
        return read(text)
    except ValueError:
        return text


def read(text: str) -> Any:
    """A value of JSON, as the hub would read it.

    Raises:
        ValueError: it is none, or cannot be read.
    """
    try:
        return msgspec.json.decode(text)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def field_of(schema: object, name: str) -> dict[str, Any]:
    """The schema of one field; empty where nothing is said."""
    found = resolved(schema, schema)
    properties = found.get("properties", {})
    each = properties.get(name, {}) if isinstance(properties, dict) else {}
    return resolved(each, schema)


def resolved(schema: object, root: object) -> dict[str, Any]:
    """A schema in place of a reference to it."""
    for _ in range(DEPTH_MAX):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: object = root
        for step in reference[2:].split("/"):
            target = target.get(step, {}) if isinstance(target, dict) else {}
        schema = target
    return {}


def choices_of(schema: Mapping[str, Any], root: object) -> list[dict[str, Any]]:
    """The alternatives of a schema, itself if there are none, without null."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    each = [resolved(one, root) for one in alternatives] if alternatives else [dict(schema)]
    return [one for one in each if one.get("type") != "null"]


def kinds_of(schema: Mapping[str, Any], root: object) -> frozenset[str]:
    """The JSON types that a schema lets through, null aside; empty where any is."""
    kinds: set[str] = set()
    for one in choices_of(schema, root):
        kind = one.get("type")
        kinds.update([kind] if isinstance(kind, str) else kind or ())
        if kind is None:
            kinds.update(_kind_of_value(value) for value in one.get("enum", ()))
    return frozenset(kinds - {"null"})


def kinds_of_items(schema: object, name: str) -> frozenset[str]:
    """The types of the items of a field that is a list."""
    for one in choices_of(field_of(schema, name), schema):
        if "items" in one:
            return kinds_of(resolved(one["items"], schema), schema)
    return frozenset()


def _kind_of_value(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case None:
            return "null"
        case _:
            return "string"
