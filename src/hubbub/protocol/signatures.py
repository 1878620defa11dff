"""From a Python signature to the JSON Schemas of an operation.

A type is described by `msgspec.json.schema` (JSON Schema 2020-12) and read by `msgspec.convert`, so
what is promised and what is accepted cannot differ.
"""

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

OperationType = Literal["query", "mutation", "subscription"]

_ANYTHING = "x-anything"
_STREAMS = (AsyncIterator, AsyncGenerator, Iterator, Generator)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a function takes and gives."""

    input: type[msgspec.Struct]
    """One field a parameter, in camel case; the context is not among them."""
    output: Any
    """The type of each answer; `Any` when the function does not say."""
    streams: bool
    """Whether it yields many answers instead of returning one."""
    context: str | None
    """The name of the parameter that takes the context, if there is one."""


def signature_of(function: Callable[..., object], context: type) -> Signature:
    """The signature of a plain function, whose parameters are the fields of its input.

    Raises:
        TypeError: if a parameter is positional-only, variadic or has no annotation.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    takes: str | None = None
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: {name} cannot be given by name")
        if inspect.isclass(hint) and issubclass(hint, context):
            takes = name
        elif hint is None:
            raise TypeError(f"{function.__name__}: {name} has no type annotation")
        elif parameter.default is parameter.empty:
            fields.append((name, hint))
        else:
            fields.append((name, hint, parameter.default))
    output, streams = output_of(hints.get("return", Any))
    shape = msgspec.defstruct(
        function.__name__,
        fields,
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
        # `create_parents` is `createParents` on the wire, as every field of every frame is.
        rename="camel",
    )
    return Signature(input=shape, output=output, streams=streams, context=takes)


def output_of(annotation: Any) -> tuple[Any, bool]:
    """The type of one answer, and whether there are many."""
    if typing.get_origin(annotation) in _STREAMS:
        return typing.get_args(annotation)[0], True
    return annotation, False


def schema_of(shape: Any) -> dict[str, object]:
    """The JSON Schema of a type; `{}` where anything goes."""
    if shape is Any or shape is object:
        return {}
    schema: dict[str, Any] = _unmarked(msgspec.json.schema(shape, schema_hook=_anything))
    # A named type comes as a reference into $defs. One level less is easier to read and to search.
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    defs: dict[str, object] = schema.get("$defs", {})
    if name in defs and not _mentions(defs, f"#/$defs/{name}"):
        top = defs.pop(name)
        assert isinstance(top, dict)
        return {**top, "$defs": defs} if defs else top
    return schema


def _anything(shape: type) -> dict[str, object]:
    """A value that is passed on as it is."""
    if shape is object:
        return {_ANYTHING: True}  # msgspec takes an empty answer for none
    raise NotImplementedError(f"{shape} has no JSON Schema")


def _unmarked(value: Any) -> Any:
    match value:
        case dict():
            return {key: _unmarked(each) for key, each in value.items() if key != _ANYTHING}
        case list():
            return [_unmarked(each) for each in value]
        case _:
            return value


def _mentions(value: object, ref: str) -> bool:
    match value:
        case dict():
            return value.get("$ref") == ref or any(_mentions(v, ref) for v in value.values())
        case list():
            return any(_mentions(v, ref) for v in value)
        case _:
            return False


def description_of(function: Callable[..., object]) -> str:
    """The docstring up to its first section, unwrapped into one line a paragraph."""
    text = inspect.getdoc(function) or ""
    kept: list[str] = []
    for paragraph in text.split("\n\n"):
        if paragraph.split("\n")[0].rstrip(":") in ("Args", "Returns", "Raises", "Yields"):
            break
        kept.append(" ".join(paragraph.split()))
    return "\n\n".join(kept)
