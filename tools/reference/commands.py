"""The command line."""

import inspect
from collections.abc import Iterable, Iterator

import click

from hubbub.interfaces.cli import SECTIONS
from hubbub.interfaces.cli.commands import LazyGroup, shared_options
from reference.markdown import table


def page() -> str:
    shared = _options(shared_options())
    parts = [
        "# Command line",
        "`hubbub COMMAND`, or `./hub COMMAND` in a checkout. Results go to standard output, all "
        "else to standard error. Exit codes are those of the [errors](errors.md). Every command "
        "has these options:",
        shared,
    ]
    shown = {str(option.name) for option in shared_options()} | {"help"}
    for title, section in SECTIONS.items():
        parts.append(f"## {title}")
        for name, lazy in section.items():
            parts += _command(lazy.load(), f"hubbub {name}", shown)
    return "\n\n".join(part for part in parts if part)


def _command(command: click.Command, path: str, shown: set[str]) -> Iterator[str]:
    ctx = click.Context(command, info_name=path, parent=None)
    yield f"### {path}"
    yield f"```text\n{' '.join([path, *command.collect_usage_pieces(ctx)])}\n```"
    yield _help(command.help or "")
    options = [each for each in command.params if str(each.name) not in shown]
    yield _options(each for each in options if isinstance(each, click.Option))
    # The commands of `do` are the hub's operations: they are not known before it is asked.
    known = (click.Group.list_commands, LazyGroup.list_commands)
    if isinstance(command, click.Group) and type(command).list_commands in known:
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _command(below, f"{path} {name}", shown)


def _help(text: str) -> str:
    """Help as Markdown: what follows a \\b is set as it is."""
    parts = []
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b\n"):
            parts.append(f"```text\n{inspect.cleandoc(part[2:])}\n```")
        else:
            parts.append(" ".join(part.split()))
    return "\n\n".join(parts)


def _options(options: Iterable[click.Parameter]) -> str:
    rows = []
    for option in options:
        assert isinstance(option, click.Option)
        ctx = click.Context(click.Command("hubbub"))
        names, what = option.get_help_record(ctx) or ("", "")
        rows.append((f"`{names}`", what))
    return table(("option", ""), rows) if rows else ""
