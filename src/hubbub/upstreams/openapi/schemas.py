"""Schemas of a document as JSON Schema 2020-12 that stands by itself. No I/O.

What is referred to is kept under `$defs`, once, so that a schema may refer to itself; what lies far
from the root is left open where all of it would be too much to store with every operation.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hubbub.kernel.errors import Invalid, TooLarge
from hubbub.operations.validation import compiled
from hubbub.protocol.codec import encode
from hubbub.upstreams.openapi.document import STEPS_MAX, Document, Fields, Place
from hubbub.upstreams.openapi.keywords import LISTS, MAPS, PARTS, kept, modern
from hubbub.upstreams.openapi.names import Names

STEPS_OF_ALL_MAX: Final = 3_000_000
NAME_CHARS_MAX: Final = 64

Schema = dict[str, Any] | bool
Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A schema, and the names of the definitions that it refers to."""

    schema: Schema
    names: frozenset[str] = frozenset()


OPEN: Final = Written(schema={})


class Schemas:
    """The schemas of one document, for what is sent or for what is received."""

    def __init__(self, document: Document, warn: Warn, *, sent: bool) -> None:
        self._document = document
        self._warn = warn
        self._not_there = "readOnly" if sent else "writeOnly"
        self._names: dict[tuple[str, str], str] = {}
        self._free = Names()
        self._places: dict[str, Place] = {}
        self._parts: dict[str, tuple[Written, int]] = {}  # and how many bytes it has
        self._steps = 0

    def written(self, place: Place) -> Written:
        """A schema by itself, without the definitions."""
        names: set[str] = set()
        return Written(schema=self._translated(place, names), names=frozenset(names))

    def whole(self, written: Written, bytes_max: int, *, at: str) -> Schema:
        """A schema with its definitions, the nearest first, in about so many bytes; what a
        validator would not take is left open."""
        schema = written.schema
        if not isinstance(schema, dict):
            return schema
        size, depth = _size(schema), 8
        while size > bytes_max and depth:
            schema, depth = _pruned(schema, depth), depth - 1
            size = _size(schema)
        defs: dict[str, Schema] = {}
        level = sorted(written.names)
        while level:
            below: set[str] = set()
            for name in level:
                part, part_size = self._part(name)
                size += part_size
                defs[name] = part.schema if size <= bytes_max else {}
                below |= part.names if size <= bytes_max else frozenset()
            level = sorted(below - defs.keys())
        return self._sound({**schema, "$defs": defs} if defs else schema, at)

    def _part(self, name: str) -> tuple[Written, int]:
        if name not in self._parts:
            part = self.written(self._places[name])
            self._parts[name] = part, _size(part.schema)
        return self._parts[name]

    def _translated(self, place: Place, names: set[str]) -> Schema:
        self._steps += 1
        if self._steps > STEPS_OF_ALL_MAX:
            raise TooLarge("the document has too many schemas", maximum=STEPS_OF_ALL_MAX)
        if isinstance(place.value, bool):
            return place.value
        fields = place.fields
        made: dict[str, Any] = {}
        reference = fields.get("$ref")
        if isinstance(reference, str):
            made = self._reference(place, reference, names)
            if self._document.older:
                return modern(fields, made) if fields.get("nullable") is True else made
        for word, part in fields.items():
            if word in PARTS or word in LISTS or word in MAPS:
                self._put_parts(made, place.at(word), word, names)
            elif kept(word, part):
                made[word] = part
        self._drop_absent(fields, made)
        return modern(fields, made)

    def _put_parts(self, made: Fields, place: Place, word: str, names: set[str]) -> None:
        if word in MAPS and isinstance(place.value, dict):
            made[word] = {name: self._translated(each, names) for name, each in place.each()}
        elif isinstance(place.value, list):
            word = "prefixItems" if word == "items" else word
            parts = [self._translated(each, names) for _, each in place.each()]
            if parts and (word in LISTS):
                made[word] = parts
        elif word in PARTS and isinstance(place.value, (dict, bool)):
            made[word] = self._translated(place, names)

    def _drop_absent(self, fields: Fields, made: Fields) -> None:
        """What only the other side says is neither asked for nor expected."""
        properties = fields.get("properties")
        if not isinstance(properties, dict):
            return
        absent = {
            name
            for name, each in properties.items()
            if isinstance(each, dict) and each.get(self._not_there) is True
        }
        if absent:
            made["properties"] = {
                name: each for name, each in made["properties"].items() if name not in absent
            }
            made["required"] = [name for name in made.get("required", ()) if name not in absent]

    def _reference(self, place: Place, reference: str, names: set[str]) -> Fields:
        try:
            target = self._end(place, reference)
        except Invalid as error:
            self._warn(f"{reference[:200]}: {error.message}")
            return {}
        key = target.url, target.pointer
        if key not in self._names:
            name = self._names[key] = self._new_name(target)
            self._places[name] = target
        names.add(self._names[key])
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _end(self, place: Place, reference: str) -> Place:
        """Where a reference leads, past those that only lead on."""
        for _ in range(STEPS_MAX):
            place = self._document.target(place, reference)
            onward = place.fields.get("$ref")
            if not isinstance(onward, str) or not (self._document.older or len(place.fields) == 1):
                return place
            reference = onward
        raise Invalid("the reference leads in a circle")

    def _new_name(self, target: Place) -> str:
        last = target.pointer.rpartition("/")[2] or target.url.rpartition("/")[2].partition(".")[0]
        return self._free.new(re.sub(r"[^A-Za-z0-9._-]+", "_", last)[:NAME_CHARS_MAX] or "schema")

    def _sound(self, schema: Fields, at: str) -> Schema:
        """The schema, if a validator takes it; else what is left without its patterns."""
        for attempt in (schema, _unpatterned(schema)):
            try:
                encode(attempt)
                compiled(attempt)
            except (Invalid, OverflowError, TypeError, ValueError, RecursionError) as error:
                reason = error.details if isinstance(error, Invalid) else error
            else:
                return attempt
        self._warn(f"{at}: the schema is left open: {str(reason)[:300]}")
        properties = schema.get("properties", {})
        if schema.get("type") != "object" or not properties:
            return {}
        return {"type": "object", "properties": {name: {} for name in properties}}


def _size(schema: object) -> int:
    try:
        return len(encode(schema))
    except (OverflowError, TypeError, ValueError, RecursionError):
        return 0  # it is refused later, with its reason


def _pruned(schema: Any, depth: int) -> Any:
    """Without what lies deeper."""
    if not isinstance(schema, (dict, list)):
        return schema
    if not depth:
        return {}
    if isinstance(schema, list):
        return [_pruned(each, depth - 1) for each in schema]
    return {
        word: _pruned(part, depth - 1)
        if word in PARTS or word in LISTS
        else {name: _pruned(each, depth - 1) for name, each in part.items()}
        if word in MAPS
        else part
        for word, part in schema.items()
    }


def _unpatterned(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_unpatterned(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: {name: _unpatterned(each) for name, each in part.items()}
        if word in (*MAPS, "$defs")
        else _unpatterned(part)
        for word, part in schema.items()
        if not (word == "pattern" and isinstance(part, str)) and word != "patternProperties"
    }
