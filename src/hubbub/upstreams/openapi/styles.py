"""Values as parameters write them: the styles of OpenAPI, which are those of RFC 6570 and three
more. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import encode
from hubbub.upstreams.openapi.binding import FormField, Parameter, Style

Pair = tuple[str, str]

_RESERVED: Final = ":/?@!$'()*,;=[]"
"""May stand in the value of a query as they are. The others of their kind end it there."""
_DELIMITERS: Final[dict[Style, str]] = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}


def segment(parameter: Parameter, value: object) -> str:
    """What stands in a path.

    Raises:
        Invalid: if it would be another path than is meant.
    """
    if parameter.json:
        return quote(text_of(value), safe="")
    prefix, between, named = _PATHS[parameter.style]
    between = between if parameter.explode else ","
    name = quote(parameter.name, safe="")
    match value:
        case dict():
            parts = _fields(value, "=" if parameter.explode else ",")
            head = f"{name}=" if named and not parameter.explode else ""
        case list():
            parts = [quote(scalar(each), safe="") for each in value]
            if named and parameter.explode:
                parts = [f"{name}={part}" for part in parts]
            head = f"{name}=" if named and not parameter.explode else ""
        case _:
            parts = [quote(scalar(value), safe="")]
            head = f"{name}=" if named and parts != [""] else name if named else ""
    if not any(parts) and not named:
        raise _invalid(parameter.field, "something: a path has no empty parts")
    return prefix + head + between.join(parts)


_PATHS: Final[dict[Style, tuple[str, str, bool]]] = {
    "simple": ("", ",", False),
    "label": (".", ".", False),
    "matrix": (";", ";", True),
}
"""What comes first, what comes between, and whether the name is told."""


def query(parameter: Parameter, value: object) -> Iterator[str]:
    """The parts of a query, ready to be joined by `&`."""
    if parameter.json:
        yield f"{_name(parameter.name)}={quote(text_of(value), safe='')}"
        return
    yield from _query(
        parameter.name,
        value,
        style=parameter.style,
        explode=parameter.explode,
        safe=_RESERVED if parameter.allow_reserved else "",
    )


def form(name: str, value: object, said: FormField) -> Iterator[str]:
    """The same, for a property of a form."""
    safe = _RESERVED if said.allow_reserved else ""
    if said.content_type is not None and "json" in said.content_type:
        yield f"{_name(name)}={quote(text_of(value), safe='')}"
    elif said.style is None and isinstance(value, dict):
        yield f"{_name(name)}={quote(scalar(value), safe='')}"  # as JSON, where nothing is said
    else:
        style = said.style or "form"
        yield from _query(name, value, style=style, explode=said.explode, safe=safe)


def header(parameter: Parameter, value: object) -> str:
    """What stands in a header.

    Raises:
        Invalid: if it would end the header.
    """
    match value:
        case _ if parameter.json:
            text = text_of(value)
        case dict():
            between = "=" if parameter.explode else ","
            text = ",".join(f"{name}{between}{scalar(each)}" for name, each in value.items())
        case list():
            text = ",".join(map(scalar, value))
        case _:
            text = scalar(value)
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise _invalid(parameter.field, "one line of text")
    return text.strip(" \t")


def cookies(parameter: Parameter, value: object) -> Iterator[str]:
    """The parts of the header Cookie."""
    if parameter.json:
        yield f"{_name(parameter.name)}={quote(text_of(value), safe='')}"
    else:
        yield from _query(
            parameter.name, value, style=parameter.style, explode=parameter.explode, safe=""
        )


def scalar(value: object) -> str:
    """One value as text: what has parts, or is nothing, as JSON."""
    return value if isinstance(value, str) else text_of(value)


def text_of(value: object) -> str:
    """JSON."""
    return encode(value).decode()


def _query(name: str, value: object, *, style: Style, explode: bool, safe: str) -> Iterator[str]:
    match value:
        case dict() if style == "deepObject":
            yield from _deep(_name(name), value, safe)
        case list() if style == "deepObject":
            yield from _deep(_name(name), value, safe)
        case dict() if explode and style == "form":
            for key, each in value.items():
                yield f"{_name(key)}={quote(scalar(each), safe=safe)}"
        case list() if explode:
            for each in value:
                yield f"{_name(name)}={quote(scalar(each), safe=safe)}"
        case dict() | list():
            parts = (
                value
                if isinstance(value, list)
                else [each for pair in value.items() for each in pair]
            )
            if parts:
                # A comma that belongs to a value would look like one between two.
                each_safe = safe.replace(",", "")
                between = _DELIMITERS.get(style, ",")
                yield f"{_name(name)}=" + between.join(
                    quote(scalar(part), safe=each_safe) for part in parts
                )
        case _:
            yield f"{_name(name)}={quote(scalar(value), safe=safe)}"


def _deep(name: str, value: Mapping[str, Any] | Sequence[Any], safe: str) -> Iterator[str]:
    """`name[key]=value`; what is nested deeper stands in further brackets."""
    if isinstance(value, Mapping):
        steps = [(quote(key, safe=""), each) for key, each in value.items()]
    else:
        nested = any(isinstance(each, (dict, list)) for each in value)
        steps = [(str(n) if nested else "", each) for n, each in enumerate(value)]
    for step, each in steps:
        inside = f"{name}%5B{step}%5D"
        if isinstance(each, (dict, list)):
            yield from _deep(inside, each, safe)
        elif each is not None:
            yield f"{inside}={quote(scalar(each), safe=safe)}"


def _fields(value: Mapping[str, Any], between: str) -> list[str]:
    return [
        f"{quote(name, safe='')}{between}{quote(scalar(each), safe='')}"
        for name, each in value.items()
    ]


def _name(name: str) -> str:
    return quote(name, safe="")


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("the input cannot be sent", errors=[{"field": field, "expected": expected}])
