"""`hubbub mcp`: MCP servers behind the hub, and the hub as an MCP server of other programs."""

from typing import Final

import click

from hubbub.interfaces.cli.commands import Lazy, LazyGroup, Sections

__all__ = ["mcp"]

SECTIONS: Final[Sections] = {
    "For programs that use the hub": {
        "stdio": Lazy(at="mcp.stdio:stdio", help="Be the hub for a client that speaks over pipes."),
    },
}


@click.group(cls=LazyGroup, sections=SECTIONS)
def mcp() -> None:
    """MCP servers behind the hub, and the hub as an MCP server."""
