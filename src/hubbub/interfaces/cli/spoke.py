"""`hubbub spoke`: operations of this machine, offered to a hub."""

import asyncio
import logging
import socket
from pathlib import Path

import anyio
import click

from hubbub.client import Spoke
from hubbub.devspoke import dev_spoke
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.commands import Group
from hubbub.interfaces.cli.names import own_name
from hubbub.interfaces.cli.session import Session, current
from hubbub.interfaces.cli.signals import stopping
from hubbub.kernel.errors import Invalid
from hubbub.kernel.groups import ungrouped


@click.group(cls=Group)
def spoke() -> None:
    """Offer operations to a hub."""


@spoke.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The folder that is offered. Nothing outside of it is read or written.",
)
@click.option("--name", default=socket.gethostname, help="By default this machine's name.")
@click.option("--allow", multiple=True, metavar="PROGRAM", help="May be run. May be given again.")
def dev(root: Path, name: str, allow: tuple[str, ...]) -> None:
    """Offer a folder: its files, its repository, and the programs that you allow.

    Runs until Ctrl-C or SIGTERM: calls in flight may end. When the hub is away, it is waited for.
    """
    session = current()
    key = session.key()
    try:
        offered = dev_spoke(root, name, allow)
    except (OSError, ValueError) as error:
        raise Invalid(str(error)) from error
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(_run(offered, session, key))


async def _run(spoke: Spoke, session: Session, key: str) -> None:
    stopped = stopping()
    with ungrouped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_tell, spoke, session)
            tasks.start_soon(_leave, spoke, stopped)
            await spoke.run(session.socket, key=key)
            tasks.cancel_scope.cancel()


async def _tell(spoke: Spoke, session: Session) -> None:
    result = await spoke.ready()
    if session.json:
        printing.document(
            {
                "spokeId": result.spoke_id,
                "name": spoke.name,
                "url": session.hub,
                "operations": [each.operation_id for each in result.operations],
            }
        )
        return
    console = printing.out()
    console.print(f"[bold]{printing.plain(spoke.name)}[/bold] offers to {session.hub}:")
    console.print("  " + ", ".join(own_name(each.operation_id) for each in result.operations))
    printing.err().print("[dim]Ctrl-C stops it.[/dim]")


async def _leave(spoke: Spoke, stopped: asyncio.Event) -> None:
    await stopped.wait()
    await spoke.drain()
