"""`hubbub status`: how the hub is, in a few lines."""

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.pages import page
from hubbub.interfaces.cli.session import current

COUNTED_MAX = 1000


@click.command(cls=Command)
@click.pass_context
def status(ctx: click.Context) -> None:
    """How the hub is. Exits with 1 where a part of it is not ready."""
    session = current()
    health, ready = page(session.hub, "/health"), page(session.hub, "/ready")
    found = {
        "url": session.hub,
        "version": health.get("version"),
        "ready": bool(ready.get("ready")),
        "parts": ready.get("parts", {}),
        **with_hub(_as_seen_by_caller),
    }
    if session.json:
        printing.document(found)
    else:
        printing.out().print(_lines(found))
    ctx.exit(0 if found["ready"] else 1)


async def _as_seen_by_caller(hub: Hub) -> dict[str, object]:
    running = await every(hub, "call.list", {"status": "running"}, COUNTED_MAX)
    return {
        "account": await hub.call("account.me"),
        "spokes": len(await every(hub, "spoke.list", {"status": "connected"}, COUNTED_MAX)),
        "callsRunning": len(running),
    }


def _lines(found: dict[str, Any]) -> Table:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim")
    lines.add_row("hub", Text.assemble((found["url"], "bold"), f"  version {found['version']}"))
    for name, part in found["parts"].items():
        sign = ("✓ ", "green") if part["ready"] else ("✗ ", "red")
        lines.add_row(name, Text.assemble(sign, part["detail"]))
    account = found["account"]
    lines.add_row("you", f"{account['email']} ({account['accessLevel']})")
    lines.add_row("spokes", f"{found['spokes']} connected")
    lines.add_row("calls", f"{found['callsRunning']} running")
    return lines
