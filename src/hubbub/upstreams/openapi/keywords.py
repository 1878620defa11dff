"""The words of a schema: which stay, and what those of OpenAPI 3.0 become. No I/O."""

from collections.abc import Callable
from typing import Any, Final

PARTS: Final = frozenset({
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
"""Words under which one schema stands."""
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_BINARY: Final = ("binary", "base64")
_COMPOSED: Final = ("$ref", "allOf", "anyOf", "oneOf", "not", "if", "const")
_EXAMPLE_CHARS_MAX: Final = 200


def kept(word: str, part: Any) -> bool:
    """Whether a word belongs into a schema with what stands under it."""
    fits = _FITS.get(word)
    return fits is not None and fits(part)


def modern(fields: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """What has been made of `fields`, with what 3.0 says in its own words said in those of JSON
    Schema."""
    for bound, open_bound in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if fields.get(open_bound) is True and bound in made:
            made[open_bound] = made.pop(bound)
    if "type" in made:
        _retype(made)
    example = fields.get("example")
    if isinstance(example, (int, float, str)) and len(str(example)) <= _EXAMPLE_CHARS_MAX:
        made.setdefault("examples", [example])
    if fields.get("nullable") is True:
        return _nullable(made)
    return made


def binary(fields: dict[str, Any]) -> bool:
    """Whether a schema stands for bytes, which in JSON are base64."""
    return (
        fields.get("format") in _BINARY
        or fields.get("type") == "file"
        or fields.get("contentEncoding") == "base64"
        or fields.get("contentMediaType") == "application/octet-stream"
    )


def _retype(made: dict[str, Any]) -> None:
    if binary(made):
        made["type"] = "string"
        made["contentEncoding"] = "base64"
        made.pop("format", None)
    types = made["type"] if isinstance(made["type"], list) else [made["type"]]
    if not types or not _TYPES.issuperset(types):
        del made["type"]


def _nullable(made: dict[str, Any]) -> dict[str, Any]:
    if any(word in made for word in _COMPOSED) or not isinstance(made.get("type"), str):
        return {"anyOf": [made, {"type": "null"}]}
    made["type"] = [made["type"], "null"]
    if "enum" in made and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    return made


def _text(part: Any) -> bool:
    return isinstance(part, str)


def _flag(part: Any) -> bool:
    return isinstance(part, bool)


def _number(part: Any) -> bool:
    return isinstance(part, (int, float)) and not isinstance(part, bool)


def _step(part: Any) -> bool:
    return _number(part) and part > 0


def _amount(part: Any) -> bool:
    return _number(part) and part >= 0 and part == int(part)


def _list(part: Any) -> bool:
    return isinstance(part, list) and bool(part)


def _names(part: Any) -> bool:
    return isinstance(part, list) and all(isinstance(each, str) for each in part)


def _type(part: Any) -> bool:
    return isinstance(part, str) or (_names(part) and bool(part))


def _by_name(part: Any) -> bool:
    return isinstance(part, dict) and all(map(_names, part.values()))


def _any(part: Any) -> bool:
    return True


_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(
        ("title", "description", "format", "pattern", "contentEncoding", "contentMediaType"), _text
    ),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _flag),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(
        (
            "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
            "minContains", "maxContains",
        ),
        _amount,
    ),
    **dict.fromkeys(("enum", "examples"), _list),
    **dict.fromkeys(("const", "default"), _any),
    "multipleOf": _step,
    "required": _names,
    "type": _type,
    "dependentRequired": _by_name,
}  # fmt: skip
