"""`hubbub mcp stdio`: the hub for a client that starts its servers and speaks over pipes."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import click

from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.mcp.bridge import Bridge
from hubbub.interfaces.cli.mcp.link import Link
from hubbub.interfaces.cli.mcp.pipes import Lines, Printer
from hubbub.interfaces.cli.mcp.wire import Wire
from hubbub.interfaces.cli.session import current
from hubbub.interfaces.cli.signals import stopping

ENDPOINT: Final = "/mcp"
GRACE_S: Final = 2.0


@click.command(cls=Command)
@click.option("--profile", metavar="NAME", help="The tools of a profile, under their own names.")
@click.option("--all", "everything", is_flag=True, help="Every tool that the key may use.")
def stdio(profile: str | None, everything: bool) -> None:
    """Be the hub for a client that speaks MCP over standard input and output.

    The key is the one saved by `hubbub login`, so that none stands in the client's settings. A hub
    that restarts is waited for. Ends when standard input does.
    """
    session = current()
    if profile is not None and everything:
        raise click.UsageError("--profile and --all are two different things to ask for.")
    wire = Wire(session.hub)
    link = Link(wire, endpoint(session.hub, profile, everything=everything), session.key())
    try:
        asyncio.run(_serve(link))
    except* BrokenPipeError:
        pass  # the client is gone


def endpoint(hub: str, profile: str | None, *, everything: bool) -> str:
    """The path of the address under which these tools are."""
    base = "/" + hub.partition("://")[2].partition("/")[2]
    part = "/all" if everything else f"/profiles/{quote(profile, safe='')}" if profile else ""
    return base.rstrip("/") + ENDPOINT + part


async def _serve(link: Link) -> None:
    lines = Lines()
    serving = asyncio.ensure_future(Bridge(link, Printer().print).run(aiter(lines)))
    ends = (asyncio.ensure_future(stopping().wait()), asyncio.ensure_future(_gone(lines)))
    await asyncio.wait((serving, *ends), return_when=asyncio.FIRST_COMPLETED)
    for task in (*ends, serving):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _gone(lines: Lines) -> None:
    """The client is gone, and has been for a while: what it waits for comes too late."""
    await lines.ended()
    await asyncio.sleep(GRACE_S)
