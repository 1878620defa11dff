"""`hubbub mcp`: MCP servers behind the hub, and the hub as an MCP server of other programs."""

from typing import Final

import click

from hubbub.interfaces.cli.commands import Lazy, LazyGroup, Sections

__all__ = ["mcp"]

SECTIONS: Final[Sections] = {
    "Servers behind the hub": {
        "add": Lazy(at="mcp.adding:add", help="Have the hub connect to a server."),
        "run": Lazy(at="mcp.adding:run", help="Have the hub run a server."),
        "import": Lazy(at="mcp.importing:import_", help="Take over what other programs have."),
        "list": Lazy(at="mcp.watching:list_", help="The servers, and how they are."),
        "check": Lazy(at="mcp.watching:check", help="Try a server."),
        "logs": Lazy(at="mcp.watching:logs", help="What a server says besides."),
        "login": Lazy(at="mcp.login:login", help="Have a server let the hub in."),
        "logout": Lazy(at="mcp.login:logout", help="Forget what a server has given the hub."),
        "remove": Lazy(at="mcp.adding:remove", help="Forget a server."),
    },
    "For programs that use the hub": {
        "export": Lazy(at="mcp.exporting:export", help="Write the hub into their settings."),
        "stdio": Lazy(at="mcp.stdio:stdio", help="Be the hub for a client that speaks over pipes."),
    },
}


@click.group(cls=LazyGroup, sections=SECTIONS)
def mcp() -> None:
    """MCP servers behind the hub, and the hub as an MCP server."""
