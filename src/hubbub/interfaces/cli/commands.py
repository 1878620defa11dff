"""How commands are made: loaded when they are run, and all with the same options."""

import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from hubbub.interfaces.cli.foreign import harmless
from hubbub.interfaces.cli.session import Session

COMPLETE: Final = "_HUBBUB_COMPLETE"
"""Set by the shell while it completes a line."""


@dataclass(frozen=True, kw_only=True)
class Lazy:
    """A command that is not loaded yet."""

    at: str
    """`module:name`, the module below this package."""
    help: str

    def load(self) -> click.Command:
        module, _, name = self.at.partition(":")
        loaded: click.Command = getattr(_imported(f"{__package__}.{module}"), name)
        return loaded


def _imported(name: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    # What an import makes stays. To look through it for rubbish while it grows, and again when a
    # hub is about to listen, would take an eighth of the start.
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


Sections = Mapping[str, Mapping[str, Lazy]]


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).json = True


def _set_url(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).url = value


def _set_key_file(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).key_file = value


def shared_options() -> list[click.Parameter]:
    """The options that every command takes, before its name or after it."""
    file = click.Path(path_type=Path, dir_okay=False)
    return [
        click.Option(
            ["--json", "shared_json"],
            is_flag=True,
            expose_value=False,
            callback=_set_json,
            help="Print one JSON document, for programs.",
        ),
        click.Option(
            ["--url", "shared_url"],
            expose_value=False,
            callback=_set_url,
            metavar="URL",
            help="The hub; by default HUBBUB_URL, else http://127.0.0.1:4820.",
        ),
        click.Option(
            ["--key-file", "shared_key_file"],
            type=file,
            expose_value=False,
            callback=_set_key_file,
            help="A file with the key; by default the one saved by `hubbub login`.",
        ),
    ]


class Command(click.Command):
    """A command with the shared options. Where one of its own has the same name, that one holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = {option for param in self.params for option in param.opts}
        self.params += [each for each in shared_options() if taken.isdisjoint(each.opts)]

    def get_help(self, ctx: click.Context) -> str:
        return harmless(super().get_help(ctx))


class Group(click.Group):
    """A group whose commands have the shared options."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options()

    def get_help(self, ctx: click.Context) -> str:
        return harmless(super().get_help(ctx))


class LazyGroup(Group):
    """A group that knows its commands by name and by a line of help, and loads one to run it."""

    def __init__(self, *args: Any, sections: Sections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sections = sections
        self._lazy = {name: lazy for part in sections.values() for name, lazy in part.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        lazy = self._lazy.get(cmd_name)
        return None if lazy is None else lazy.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self._lazy))
        for title, part in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), lazy.help) for name, lazy in part.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=lazy.help)
            for name, lazy in self._lazy.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)
