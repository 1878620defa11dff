"""The flags of an operation, from the JSON Schema of its input."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from hubbub.interfaces.cli.inputs import choices_of, kinds_of, read, resolved

NUMBERS: Final[Mapping[str, click.ParamType[Any, Any]]] = {
    "integer": click.INT,
    "number": click.FLOAT,
}


class Json(click.ParamType[Any]):
    """A value of JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return read(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}", param, ctx)


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One field of an input."""

    field: str
    option: click.Option


def flags_of(schema: object) -> list[Flag]:
    """The flags of an input, the required ones first."""
    top = resolved(schema, schema)
    properties = top.get("properties", {})
    required = set(top.get("required", ()))
    flags = [
        Flag(
            field=field,
            option=_option(index, field, resolved(each, schema), schema, field in required),
        )
        for index, (field, each) in enumerate(properties.items())
    ]
    return sorted(flags, key=lambda flag: not flag.option.required)


def input_of(flags: list[Flag], values: Mapping[str, Any]) -> dict[str, Any]:
    """The input that was given; what was left out is the operation's to fill in."""
    given = {flag.field: values[str(flag.option.name)] for flag in flags}
    return {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in given.items()
        if value is not None and value != ()
    }


def kebab(name: str) -> str:
    """`displayName` as it is typed: `display-name`."""
    parts = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return "-".join(parts.replace("_", " ").split())


def camel(name: str) -> str:
    """`display-name` as it is published: `displayName`."""
    head, *rest = name.split("-")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _option(
    index: int, field: str, schema: dict[str, Any], root: object, required: bool
) -> click.Option:
    choices = choices_of(schema, root)
    # A field may have any name; the option's own, which nobody sees, is a number.
    name, flag = f"field_{index}", kebab(field)
    text = _help(schema, choices)
    if [one.get("type") for one in choices] == ["boolean"]:
        words = [f"--{flag}/--no-{flag}", name]
        return click.Option(words, default=None, required=required, help=text)
    many = kinds_of(schema, root) == {"array"}
    of = resolved(choices[0].get("items", {}), root) if many else schema
    return click.Option(
        [f"--{flag}", name],
        type=_type(of, root),
        multiple=many,
        required=required,
        help=f"{text} May be given again.".strip() if many else text,
    )


def _type(schema: dict[str, Any], root: object) -> click.ParamType[Any, Any]:
    choices = choices_of(schema, root)
    if len(choices) == 1 and "enum" in choices[0]:
        values = choices[0]["enum"]
        if all(isinstance(value, str) for value in values):
            return click.Choice(values)
    kinds = kinds_of(schema, root)
    if kinds == {"string"}:
        return click.STRING
    if len(kinds) == 1 and (number := NUMBERS.get(next(iter(kinds)))):
        return number
    return Json()


def _help(schema: dict[str, Any], choices: list[dict[str, Any]]) -> str:
    described = schema.get("description") or next(
        (one["description"] for one in choices if one.get("description")), ""
    )
    default = schema.get("default")
    said = default not in (None, "", [], {})
    shown = f"[default: {json.dumps(default, ensure_ascii=False).strip(chr(34))}]" if said else ""
    return f"{described} {shown}".strip()
