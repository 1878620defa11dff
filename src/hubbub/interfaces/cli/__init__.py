"""The command line. It starts fast: what a command needs is loaded when that command is run."""

import io
import os
import sys
from itertools import takewhile
from typing import Any, Final, NoReturn

import click

from hubbub import __version__
from hubbub.interfaces.cli import failures
from hubbub.interfaces.cli.commands import COMPLETE, Lazy, LazyGroup, Sections
from hubbub.interfaces.cli.session import Session
from hubbub.kernel.errors import HubError

SECTIONS: Final[Sections] = {
    "Run a hub": {
        "demo": Lazy(at="demo:demo", help="See a hub at work, in a few seconds."),
        "serve": Lazy(at="serve:serve", help="Run a hub."),
        "db": Lazy(at="db:db", help="Migrate, check or back up a hub's database."),
        "eval": Lazy(at="eval:eval_", help="Measure how well searches find what is right."),
    },
    "Use one": {
        "find": Lazy(at="find:find", help="Find operations by what they do."),
        "call": Lazy(at="call:call", help="Call an operation."),
        "do": Lazy(at="do:do", help="The operations as commands: do account create --email x."),
        "spoke": Lazy(at="spoke:spoke", help="Offer operations to a hub."),
        "mcp": Lazy(at="mcp:mcp", help="MCP servers behind the hub, and the hub as one."),
        "openapi": Lazy(at="openapi:openapi", help="HTTP APIs behind the hub."),
    },
    "Look at one": {
        "status": Lazy(at="status:status", help="How the hub is."),
        "calls": Lazy(at="calls:calls", help="Calls, running and past."),
        "spokes": Lazy(at="spokes:spokes", help="The machines that offer operations."),
        "doctor": Lazy(at="doctor:doctor", help="Find out what is wrong."),
    },
    "This machine": {
        "login": Lazy(at="login:login", help="Save the key for a hub."),
        "logout": Lazy(at="login:logout", help="Forget the key for a hub."),
        "completion": Lazy(at="completion:completion", help="Print completion for your shell."),
    },
}


class Root(LazyGroup):
    """The whole command line: every failure becomes a line and an exit code here."""

    def main(  # type: ignore[override]  # it never returns, however it is called
        self, args: Any = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        extra |= {"standalone_mode": False, "complete_var": COMPLETE}
        # An option after a mistake was not reached yet, and the mistake is to be told in JSON too.
        as_json = "--json" in takewhile(lambda word: word != "--", words)
        try:
            code = super().main(words, "hubbub", **extra)
        except HubError as error:
            if COMPLETE in os.environ:
                sys.exit(1)  # a line is being typed: nothing may appear in it
            code = failures.tell(error, as_json=as_json)
        except click.Abort:
            code = failures.tell(failures.STOPPED, as_json=as_json)
        except click.ClickException as error:
            code = failures.tell_usage(error, as_json=as_json)
        except UnicodeEncodeError:  # what the shell handed over was no text, and cannot be sent
            code = failures.tell(failures.NO_TEXT, as_json=as_json)
        sys.exit(code if isinstance(code, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = f"The hub's operations are at `hubbub do {args[0]}`."
            raise click.UsageError(f"{error.message} {hint}", ctx) from error


@click.group(cls=Root, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="hubbub %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """An operations hub for AI agents."""
    ctx.ensure_object(Session)


def main() -> NoReturn:
    """The entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no ticks and trees gets question marks in their place.
        sys.stdout.reconfigure(errors="replace")
    root.main()
