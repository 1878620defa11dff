"""How often the parts of a schema are looked at for one value. No I/O.

Definitions that each refer to the next one twice are looked at twice as often with every step: a
schema of forty lines would keep the hub busy for hours. Counted is one place in a value. A schema
that looks twice at each level of nesting takes longer with every level that a value has; an honest
union that refers to itself looks the same, so that alone is no reason to refuse it.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from hubbub.operations.references import REFERENCES, References

WEIGHT_MAX: Final = 20_000
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_ONES: Final = ("not", "if", "then", "else")
_MAPS: Final = ("dependentSchemas", "dependencies")
_BELOW: Final = (
    "items", "additionalItems", "prefixItems", "contains", "additionalProperties",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties", "properties",
    "patternProperties", "$defs", "definitions",
)  # fmt: skip


class Weight:
    """Weighs the parts of one schema."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    @cached_property
    def _references(self) -> References:
        return References(self._root)

    def of(self, schema: object) -> int:
        """The greatest weight that this part, or one below it, has for a single value.

        Raises:
            LookupError, ValueError: if it cannot be told where a reference leads.
        """
        if isinstance(schema, list):
            return max(map(self.of, schema), default=1)
        if not isinstance(schema, dict):
            return 1
        below = (
            list(part.values()) if name in _NAMED and isinstance(part, dict) else part
            for name, part in schema.items()
            if name in _BELOW or name in _LISTS or name in _ONES or name in _MAPS
        )
        return max(self._alone(schema), *map(self.of, below), 1)

    def _alone(self, schema: object) -> int:
        if not isinstance(schema, (dict, list)) or id(schema) in self._open:
            return 1  # a reference back up is followed no further for the same value
        known = self._known.get(id(schema))
        if known is None:
            self._open.add(id(schema))
            if isinstance(schema, list):
                known = max(map(self._alone, schema), default=1)
            else:
                known = 1 + sum(map(self._alone, self._same_place(schema)))
            self._open.discard(id(schema))
            self._known[id(schema)] = known
        return known

    def _same_place(self, schema: dict[str, object]) -> Iterator[object]:
        """The parts that are held against the same value; a list where it is one of several."""
        for name in _LISTS:
            parts = schema.get(name)
            yield from parts if isinstance(parts, list) else ()
        for name in _ONES:
            yield schema.get(name)
        for name in _MAPS:
            parts = schema.get(name)
            yield from parts.values() if isinstance(parts, dict) else ()
        if not schema.keys().isdisjoint(REFERENCES):
            yield from self._references.targets(schema)


_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", *_MAPS})
"""Keywords under which schemas stand by name."""
