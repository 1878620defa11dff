"""How a failure reads on standard error, and the exit code that goes with it."""

import json
from typing import Any

import click

from hubbub.interfaces.cli.foreign import harmless
from hubbub.kernel.errors import Aborted, HubError, Invalid, meaning

STOPPED = Aborted("stopped")
NO_TEXT = Invalid(
    "what was typed is no text", errors=[{"field": "input", "expected": "text in UTF-8"}]
)


def tell(error: HubError, *, as_json: bool) -> int:
    """Print an error; its exit code."""
    click.echo(document(error) if as_json else text(error), err=True)
    return meaning(error.name).exit


def tell_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Print how a command was misused; the exit code."""
    if as_json:
        click.echo(document(_invalid(error)), err=True)
    else:
        error.show()
    return error.exit_code


def _invalid(error: click.ClickException) -> Invalid:
    """A misuse, and what is at fault where that is one option or argument."""
    message = error.format_message()
    match error:
        case click.BadParameter(param=click.Parameter() as param):
            field, expected = param.opts[0], error.message or "a value"
        case click.NoSuchOption(option_name=field):
            expected = "an option that there is"
        case _:
            return Invalid(message)
    return Invalid(message, errors=[{"field": field, "expected": expected}])


def document(error: HubError) -> str:
    """As HTTP answers it."""
    body = {"code": error.name, "message": error.message, "details": error.details}
    return json.dumps({"error": body}, default=str, ensure_ascii=False)


def plain(error: HubError) -> str:
    """In one line, without colours."""
    return "; ".join(line.strip() for line in click.unstyle(text(error)).splitlines())


def text(error: HubError) -> str:
    """One line, and one more for each field that does not fit."""
    details = dict(error.details)
    fields = details.pop("errors", ())
    code = click.style(harmless(error.name), fg="red", bold=True)
    head = f"{code}: {harmless(error.message)}{_aside(error, details)}"
    if not isinstance(fields, list | tuple):
        return head
    return "\n".join([head, *(_field(each) for each in fields if not _said(each, error.message))])


def _aside(error: HubError, details: dict[str, Any]) -> str:
    """The details that the message does not mention, in brackets."""
    told = [
        f"{name}: {value if isinstance(value, str) else json.dumps(value, default=str)}"
        for name, value in details.items()
        if value not in ("", None) and str(value) not in error.message
    ]
    return click.style(harmless(f" ({', '.join(told)})"), dim=True) if told else ""


def _said(field: Any, message: str) -> bool:
    return isinstance(field, dict) and f"{field.get('field')}: expected" in message


def _field(error: Any) -> str:
    if not isinstance(error, dict):
        return harmless(f"  {error}")
    name = click.style(harmless(str(error.get("field") or "input")), bold=True)
    expected = harmless(str(error.get("expected", "something else")))
    if "got" in error:
        return f"  {name}: expected {expected}, got {json.dumps(error['got'], default=str)}"
    return f"  {name}: {expected}"  # a validator's own sentence, more often than not
