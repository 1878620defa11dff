"""`hubbub serve`: a hub, until it is told to stop."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import uvloop

from hubbub import __version__
from hubbub.app import House, serving
from hubbub.interfaces.cli import credentials, failures, printing
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.database import opening
from hubbub.interfaces.cli.session import current
from hubbub.interfaces.cli.signals import stopping
from hubbub.interfaces.guard import is_loopback
from hubbub.kernel.errors import HubError, Invalid
from hubbub.settings import Settings, load


@click.command(cls=Command)
@click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://...")
@click.option("--host", help="The address to listen on; by default this machine's own.")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--public", is_flag=True, default=None, help="Others may reach it. Put TLS in front.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file with settings.",
)
def serve(config: Path | None, **given: Any) -> None:
    """Run a hub, until Ctrl-C or SIGTERM: it lets calls in flight end, and leaves.

    Settings come from the file, then from HUBBUB_*, then from here. The first start on a database
    makes the owner's key and shows it once.
    """
    settings = load(config, overrides=given)
    _check_address(settings)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, as_json=current().json))


def _check_address(settings: Settings) -> None:
    if settings.public or is_loopback(settings.host):
        return
    raise Invalid(
        f"{settings.host} can be reached by others: put TLS in front of the hub, and then say "
        "--public, or public = true in the settings",
        errors=[
            {
                "field": "host",
                "expected": "an address of this machine alone, or `public`",
                "got": settings.host,
            }
        ],
    )


async def _serve(settings: Settings, *, as_json: bool) -> None:
    stopped = stopping()
    async with AsyncExitStack() as stack:
        with opening(settings.database_url):
            house, url = await stack.enter_async_context(serving(settings))
        _welcome(house, url, as_json=as_json)
        await stopped.wait()
        if not as_json:
            printing.err().print("[dim]Stopping: calls in flight may end.[/dim]")


def _welcome(house: House, url: str, *, as_json: bool) -> None:
    key = house.first_key
    if as_json:
        if key:
            _saved(house, url, key)
        printing.document({"url": url, "key": key})
        return
    printing.out().print(f"Hubbub {__version__} at [bold green]{url}[/bold green]")
    remark = ""
    if key:
        printing.out().print(f"\n  The owner's key, shown once: [bold]{key}[/bold]")
        remark = _saved(house, url, key)
    printing.err().print(f"{remark}[dim]Ctrl-C stops it.[/dim]", soft_wrap=True)


def _saved(house: House, url: str, key: str) -> str:
    """Keep the owner's key for the commands of this user; what became of it."""
    if not is_loopback(house.settings.host):
        return "  [dim]Keep it: it is not saved.[/dim]\n\n"
    try:
        return f"  [dim]Saved for you in {credentials.save(url, key)}[/dim]\n\n"
    except HubError as error:
        # The key was shown, and there will not be another: that it is not saved stops nothing.
        return f"  [yellow]Keep it: {printing.plain(failures.text(error))}[/yellow]\n\n"
