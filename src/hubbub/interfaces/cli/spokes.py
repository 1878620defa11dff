"""`hubbub spokes`: the machines that offer operations."""

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import every, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.session import current

SHOWN_MAX = 1000


@click.command(cls=Command)
@click.option("--connected", is_flag=True, help="Only those that are connected now.")
def spokes(connected: bool) -> None:
    """The machines that offer operations, or did."""

    async def work(hub: Hub) -> list[dict[str, object]]:
        wanted: dict[str, object] = {"status": "connected"} if connected else {}
        return await every(hub, "spoke.list", wanted, SHOWN_MAX)

    found = with_hub(work)
    if current().json:
        printing.document(found)
    elif not found:
        printing.err().print("[dim]None. `hubbub spoke dev --root DIR` starts one.[/dim]")
    else:
        console = printing.out()
        wide = printing.wide(console)
        more = ("type", "system") if wide else ()
        rows = (_row(spoke, wide=wide) for spoke in found)
        console.print(printing.table(("~name", "status", "since", *more, "id"), rows))


def _row(spoke: dict[str, object], *, wide: bool) -> tuple[str | Text, ...]:
    connected = spoke["status"] == "connected"
    since = spoke["connectedAt"] if connected else spoke["disconnectedAt"]
    host = spoke["hostInfo"]
    assert isinstance(host, dict)
    sign = Text("● connected", style="green") if connected else Text("○ gone", style="dim")
    system = " ".join(filter(None, (host.get("os"), host.get("arch"))))
    return (
        Text(str(spoke["name"]), style="bold"),
        sign,
        printing.clock(str(since) if since else None),
        *((str(spoke["spokeType"]), system) if wide else ()),
        str(spoke["id"]),
    )
