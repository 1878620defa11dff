"""`hubbub call`: one operation, by its id."""

import sys
from pathlib import Path
from typing import Any

import click

from hubbub.client import Hub
from hubbub.interfaces.cli import inputs
from hubbub.interfaces.cli.asking import with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.completion import OPERATION
from hubbub.interfaces.cli.operations import spec_of
from hubbub.interfaces.cli.performing import Wanted, perform
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import Invalid
from hubbub.settings import YEAR_S


def _seconds(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    # Said so that it holds of `nan` too, which is neither less nor more than anything.
    if value is not None and not 0 < value <= YEAR_S:
        raise click.BadParameter(f"{value:g} is not more than 0 and at most {YEAR_S:,}", ctx, param)
    return value


@click.command(cls=Command)
@click.argument("operation", type=OPERATION)
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "source", metavar="JSON|@FILE|-", help="The whole input, as JSON.")
@click.option("--provider", help="Id or name of the one provider that shall answer.")
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    callback=_seconds,
    metavar="SECONDS",
    help="How long to wait for the answer, a minute by default, or between answers of a stream.",
)
@click.option("--stream", is_flag=True, help="Print every answer. A subscription is one anyway.")
def call(
    operation: str,
    fields: tuple[str, ...],
    source: str | None,
    provider: str | None,
    timeout_s: float | None,
    stream: bool,
) -> None:
    """Call an operation.

    A VALUE is read as the operation's input schema has it; a KEY that is written again makes a list
    longer. Ctrl-C stops the call on the hub, with all that it began.

    \b
      hubbub call call.list status=failed limit=5
      hubbub call dev.fs.read path=README.md
      hubbub call call.follow --json
    """
    session = current()
    base = _read(source)

    async def work(hub: Hub) -> None:
        spec = await spec_of(hub, operation)
        schema = spec["inputSchema"] if spec else {}
        wanted = Wanted(
            operation=operation,
            input={**base, **inputs.given(fields, schema)},
            streams=stream or (spec is not None and spec["type"] == "subscription"),
            provider=provider,
            timeout_s=timeout_s,
        )
        await perform(hub, session, wanted)

    with_hub(work)


def _read(source: str | None) -> dict[str, Any]:
    """The input that `--input` names."""
    if source is None:
        return {}
    try:
        value = inputs.read(_text(source))
    except (OSError, ValueError) as error:
        raise _invalid(f"JSON, @FILE or - for standard input: {error}") from error
    if not isinstance(value, dict):
        raise _invalid("an object of JSON")
    return value


def _text(source: str) -> str:
    if source == "-":
        return sys.stdin.read()
    return Path(source[1:]).read_text() if source.startswith("@") else source


def _invalid(expected: str) -> Invalid:
    return Invalid("the input cannot be read", errors=[{"field": "--input", "expected": expected}])
