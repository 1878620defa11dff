"""`hubbub do`: every operation of the hub as a command of its own, made from its definition."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command, Group
from hubbub.interfaces.cli.completion import ANSWER_S, known
from hubbub.interfaces.cli.flags import camel, flags_of, input_of, kebab
from hubbub.interfaces.cli.names import own_name
from hubbub.interfaces.cli.operations import LISTED_MAX, spec_of
from hubbub.interfaces.cli.performing import Wanted, perform
from hubbub.interfaces.cli.printing import summary
from hubbub.interfaces.cli.session import Session, current


class Namespaces(Group):
    """The namespaces of the operations that the caller may use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_by_namespace(_listed()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return Names(name=cmd_name, help=f"The operations of {cmd_name}.")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, "1 operation" if len(each) == 1 else f"{len(each)} operations")
            for name, each in _by_namespace(_listed()).items()
        ]
        with formatter.section("Namespaces"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = _by_namespace(known(ctx.ensure_object(Session)))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Names(Group):
    """The operations of one namespace."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._mine(_listed()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        ids = _ids(str(self.name), cmd_name)
        within_s = ANSWER_S if ctx.resilient_parsing else None  # a line is being completed
        spec = with_hub(lambda hub: spec_of(hub, *ids), within_s=within_s)
        return None if spec is None else _command(cmd_name, spec)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = list(self._mine(_listed()).items())
        if not rows:
            raise click.UsageError(f"There is no operation in {self.name} that you may call.")
        with formatter.section("Operations"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = self._mine(known(ctx.ensure_object(Session)))
        return [
            CompletionItem(name, help=help)
            for name, help in names.items()
            if name.startswith(incomplete)
        ]

    def _mine(self, listed: list[dict[str, Any]]) -> dict[str, str]:
        return _by_namespace(listed).get(str(self.name), {})


@click.group(cls=Namespaces)
def do() -> None:
    """The operations of the hub as commands: do NAMESPACE OPERATION.

    Flags, their types and this help are made from what the hub says of an operation, so that there
    is a command for everything that you may call.

    \b
      hubbub do account create --email ada@example.org
      hubbub do api-key create --name ci --scopes calls:read
    """


def _command(name: str, spec: dict[str, Any]) -> Command:
    flags = flags_of(spec["inputSchema"])
    return Command(
        name,
        params=[flag.option for flag in flags],
        callback=_callback(spec, lambda values: input_of(flags, values)),
        help=spec["description"],
    )


def _callback(
    spec: dict[str, Any], input: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[..., None]:
    def carry_out(**values: Any) -> None:
        session = current()
        wanted = Wanted(
            operation=f"{spec['namespace']}.{spec['name']}",
            input=input(values),
            streams=spec["type"] == "subscription",
        )
        with_hub(lambda hub: perform(hub, session, wanted))

    return carry_out


def _ids(namespace: str, name: str) -> list[str]:
    """The ids that may be meant: what was typed, and what it is a spelling of with dashes."""
    return list(
        dict.fromkeys(
            f"{space}.{word}"
            for space in (camel(namespace), namespace)
            for word in (camel(name), name)
        )
    )


def _listed() -> list[dict[str, Any]]:
    return with_hub(lambda hub: every(hub, "operation.list", {}, LISTED_MAX))


def _by_namespace(listed: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """What each operation does, by the names of namespace and operation as they are typed."""
    found: dict[str, dict[str, str]] = {}
    for each in listed:
        namespace, _, name = own_name(each["id"]).rpartition(".")
        found.setdefault(kebab(namespace), {})[kebab(name)] = summary(each["description"])
    return found
