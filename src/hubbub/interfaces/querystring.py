"""A flat input out of a query string: each value as its field's schema wants it. No I/O."""

from collections.abc import Iterable
from typing import Any

import msgspec


def flat_input(pairs: Iterable[tuple[str, str]], schema: Any) -> dict[str, object]:
    """The input that the names and values of a query string make, in their order."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    values: dict[str, object] = {}
    for name, value in pairs:
        wanted = properties.get(name, {})
        if "array" in _types(wanted):
            found = values.setdefault(name, [])
            assert isinstance(found, list)
            found.append(_read(value, _types(_items(wanted))))
        else:
            values[name] = _read(value, _types(wanted))
    return values


def _types(schema: Any) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    kind = schema.get("type")
    if kind is None:
        return {name for choice in schema.get("anyOf", ()) for name in _types(choice)}
    return {kind} if isinstance(kind, str) else set(kind)


def _items(schema: Any) -> Any:
    """The schema of the items of an array."""
    for choice in (schema, *schema.get("anyOf", ())):
        if isinstance(choice, dict) and "items" in choice:
            return choice["items"]
    return {}


def _read(value: str, types: set[str]) -> object:
    """A value as what its field takes; text stays text."""
    if types & {"integer", "number", "boolean", "object"}:
        try:
            read: object = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
        return value if isinstance(read, str) else read
    return value
