"""`hubbub calls`: running and past, as a list, as they come and go, as a tree, in numbers."""

from collections.abc import Iterator
from contextlib import aclosing, suppress
from typing import Any, Final

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Group
from hubbub.interfaces.cli.completion import OPERATION
from hubbub.interfaces.cli.names import own_name
from hubbub.interfaces.cli.operations import published_id, spoke_names
from hubbub.interfaces.cli.session import Session, current
from hubbub.kernel.errors import TimedOut

Wanted = dict[str, str | None]
"""Which calls: of a status, of an operation; None for all."""

STATS_MAX: Final = 10_000
STATUSES: Final = ("pending", "running", "completed", "failed", "aborted")


@click.group(cls=Group, invoke_without_command=True)
@click.option("--follow", is_flag=True, help="Print calls as they begin and end, until Ctrl-C.")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--operation", type=OPERATION, metavar="ID")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.pass_context
def calls(
    ctx: click.Context, follow: bool, status: str | None, operation: str | None, limit: int
) -> None:
    """Calls, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    wanted: Wanted = {"status": status, "operation": operation}
    session = current()
    if follow:
        with_hub(lambda hub: _follow(hub, session, wanted))
    else:
        found, spokes = with_hub(lambda hub: _latest(hub, wanted, limit))
        _list(found, spokes, session)


@calls.command()
@click.argument("id")
def tree(id: str) -> None:
    """A call and all that it led to."""

    async def work(hub: Hub) -> tuple[dict[str, Any], dict[str, str]]:
        found = await hub.call("call.tree", {"id": id})
        return found, await spoke_names(hub, _operations(found))

    found, spokes = with_hub(work)
    if current().json:
        printing.document(found)
    else:
        printing.out().print(printing.call_tree(found, spokes))


@calls.command()
@click.option("--operation", type=OPERATION, metavar="ID")
def stats(operation: str | None) -> None:
    """How often operations were called, how often they failed, and how long they took."""

    async def work(hub: Hub) -> tuple[list[dict[str, Any]], dict[str, str]]:
        wanted = await published_id(hub, operation)
        found = await every(hub, "call.stats", {"operation": wanted}, STATS_MAX)
        return found, await spoke_names(hub, (each["operation"] for each in found))

    found, spokes = with_hub(work)
    if current().json:
        printing.document(found)
    else:
        printing.out().print(printing.stats_table(found, spokes))


async def _latest(
    hub: Hub, wanted: Wanted, limit: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    operation = await published_id(hub, wanted["operation"])
    found = await every(hub, "call.list", {**wanted, "operation": operation}, limit)
    return found, await spoke_names(hub, (call["operation"] for call in found))


def _operations(tree: dict[str, Any]) -> Iterator[str]:
    yield tree["call"]["operation"]
    for child in tree["children"]:
        yield from _operations(child)


def _list(found: list[dict[str, Any]], spokes: dict[str, str], session: Session) -> None:
    if session.json:
        printing.document(found)
        return
    if not found:
        printing.err().print("[dim]None.[/dim]")
        return
    console = printing.out()
    wide = printing.wide(console)
    headings = (
        ("~operation", "status", ">took", "at", "id") if wide else ("~operation", "", ">took", "id")
    )
    console.print(printing.table(headings, (_row(call, spokes, wide=wide) for call in found)))


def _row(call: dict[str, Any], spokes: dict[str, str], *, wide: bool) -> list[str | Text]:
    nested = Text("↳ " if call["parentId"] else "", style="dim")
    row: list[str | Text] = [
        nested.append_text(printing.operation(call["operation"], spokes)),
        printing.status(call["status"], brief=not wide),
        printing.duration(call["durationMs"]),
    ]
    if wide:
        row.append(printing.clock(call["createdAt"]))
    return [*row, call["id"]]


async def _follow(hub: Hub, session: Session, wanted: Wanted) -> None:
    while True:
        # The hub ends a subscription in which nothing happens for long; we go on looking.
        with suppress(TimedOut):
            await _follow_once(hub, session, wanted)


async def _follow_once(hub: Hub, session: Session, wanted: Wanted) -> None:
    events = hub.subscribe("call.follow")
    async with aclosing(events):
        async for event in events:
            told = {"status": event["status"], "operation": own_name(event["operation"])}
            if any(wanted[name] not in (None, event[name], told[name]) for name in told):
                continue
            if session.json:
                printing.document(event)
            else:
                printing.out().print(_line(event), soft_wrap=True)


def _line(event: dict[str, Any]) -> Text:
    began = event["event"] == "began"
    sign = Text("▶ began", style="cyan") if began else printing.status(event["status"])
    sign.pad_right(12 - len(sign))
    line = Text.assemble((f"{printing.clock(event['at'])}  ", "dim"), sign)
    line.append(f"{printing.duration(event['durationMs']):>8}  ")
    line.append_text(printing.operation(event["operation"], {}))
    line.append(f"  {event['error']}" if event["error"] else "", style="red")
    line.append(f"  {event['id']}", style="dim")
    if event["missed"]:
        line.append(f"  {event['missed']} left out before this", style="yellow")
    return line
