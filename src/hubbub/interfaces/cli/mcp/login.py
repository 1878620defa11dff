"""`hubbub mcp login` and `logout`: whether a server lets the hub in."""

import webbrowser
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import click

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import ask, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import ExecutionFailed, TimedOut

CALLBACK: Final = "/oauth/callback"
KEY: Final = "oauth.grant"
LOOK_S: Final = 0.5
AGREED_S: Final = 600.0
CONNECTED_S: Final = 60.0
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@click.command(cls=Command)
@click.argument("name")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def login(name: str, no_browser: bool) -> None:
    """Have a server let the hub in: opens the page where you agree, and waits until you have.

    With --json the address is printed, and nothing is opened or waited for.
    """
    with_hub(lambda hub: _logged_in(hub, name, no_browser=no_browser))


@click.command(cls=Command)
@click.argument("name")
def logout(name: str) -> None:
    """Forget what a server has given the hub."""
    ask("client.removeSecret", {"client": name, "key": KEY})
    if current().json:
        printing.document({"name": name, "forgotten": True})
    else:
        click.echo(f"The hub shows {name} nothing any more.")


async def _logged_in(hub: Hub, name: str, *, no_browser: bool) -> None:
    begun = await hub.call("client.authorize", {"id": name, "redirectUrl": _callback()})
    if current().json:
        printing.document(begun)
        return
    before = await _kept(hub, name)
    click.echo(f"Agree here: {begun['url']}")
    if not no_browser:
        webbrowser.open(begun["url"])
    with anyio.move_on_after(AGREED_S) as waiting:
        while True:
            await anyio.sleep(LOOK_S)
            if await _kept(hub, name) != before:
                break
    if waiting.cancelled_caught:
        raise TimedOut("nobody has agreed in time")
    found = await _connected(hub, name)
    if found["status"] != "connected":
        raise ExecutionFailed(f"{name} lets the hub in, and is not there: {found['error']}")
    click.echo(f"{name} lets the hub in: {found['tools']} tools.")


async def _kept(hub: Hub, name: str) -> object:
    """When what is kept of it was last set."""
    found = (await hub.call("client.listSecrets", {"client": name}))["items"]
    return next((each["updatedAt"] for each in found if each["key"] == KEY), None)


async def _connected(hub: Hub, name: str) -> Any:
    found: Any = None
    with anyio.move_on_after(CONNECTED_S):
        while found is None or found["status"] == "connecting":
            (found,) = (await hub.call("client.status", {"id": name}))["items"]
            await anyio.sleep(LOOK_S)
    return found


def _callback() -> str | None:
    """Where this hub is reached from here, if a person may be sent there."""
    hub = current().hub
    parts = urlsplit(hub)
    return hub + CALLBACK if parts.scheme == "https" or parts.hostname in LOOPBACK else None
