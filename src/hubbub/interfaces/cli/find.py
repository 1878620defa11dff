"""`hubbub find`: which operation does what is wanted."""

from typing import Any

import click

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.operations import spoke_names
from hubbub.interfaces.cli.session import current


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 500), default=10, show_default=True)
def find(text: tuple[str, ...], limit: int) -> None:
    """Find operations by what they do.

    \b
      hubbub find which calls failed
    """
    session = current()

    async def work(hub: Hub) -> tuple[list[dict[str, Any]], dict[str, str]]:
        hits = await every(hub, "operation.search", {"text": " ".join(text)}, limit)
        names = {} if session.json else await spoke_names(hub, (hit["id"] for hit in hits))
        return hits, names

    found, spokes = with_hub(work)
    if session.json:
        printing.document(found)
    elif not found:
        printing.err().print("[dim]Nothing that you may call fits these words.[/dim]")
    else:
        rows = (
            (
                printing.operation(hit["id"], spokes),
                hit["type"],
                printing.plain(printing.summary(hit["description"])),
            )
            for hit in found
        )
        printing.out().print(printing.table(("~operation", "type", "~what it does"), rows))
