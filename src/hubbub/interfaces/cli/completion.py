"""Completion in the shell. Names of operations come from the hub, if it answers at once."""

import asyncio
import json
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from hubbub.interfaces.cli.commands import COMPLETE, Command
from hubbub.interfaces.cli.foreign import harmless
from hubbub.interfaces.cli.names import own_name
from hubbub.interfaces.cli.session import Session, current

ANSWER_S: Final = 0.5


class OperationName(click.ParamType[str]):
    """The id of an operation."""

    name = "operation"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        root, dot, _ = incomplete.partition(".")
        # A spoke's operation is offered as people type it, without the spoke's id.
        found = {
            own_name(each["id"]): harmless(each["description"].partition("\n")[0])
            for each in known(ctx.ensure_object(Session), root if dot else None)
            if own_name(each["id"]).startswith(incomplete)
        }
        return [CompletionItem(name, help=help) for name, help in found.items()]


OPERATION: Final = OperationName()


def known(session: Session, namespace: str | None = None) -> list[dict[str, Any]]:
    """The operations below a namespace, none if the hub does not say so at once."""
    try:
        # A line is being typed: what completion needs is loaded only if it is asked for.
        asking = import_module("hubbub.interfaces.cli.asking")
        found: list[dict[str, Any]] = asyncio.run(_listed(asking, session, namespace))
    except Exception:  # whatever it is, it must not appear in the line that is being typed
        return []
    return found


async def _listed(asking: Any, session: Session, namespace: str | None) -> Any:
    async with asyncio.timeout(ANSWER_S), asking.connected(session) as hub:
        page = await hub.call("operation.list", {"namespace": namespace, "limit": 500})
        return page["items"]


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of this command for a shell.

    \b
      eval "$(hubbub completion bash)"     in ~/.bashrc, or zsh in ~/.zshrc
      hubbub completion fish >~/.config/fish/completions/hubbub.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    root = ctx.find_root()
    script = kind(root.command, {}, "hubbub", COMPLETE).source()
    click.echo(json.dumps({"shell": shell, "script": script}) if current().json else script)
