"""`hubbub demo`: a hub at work, on a screen and in a few seconds."""

import asyncio
import signal
import tempfile
from pathlib import Path

import click

from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.demo.story import Story
from hubbub.interfaces.cli.demo.telling import teller
from hubbub.interfaces.cli.session import current

__all__ = ["demo"]


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Leave it running until Ctrl-C, to look around.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The folder that the demo's spoke offers; by default this one. It is only read.",
)
def demo(keep: bool, root: Path) -> None:
    """See a hub at work, in a few seconds.

    A hub and a spoke run as processes of their own, in a temporary folder. Nothing is left of them.
    """
    asyncio.run(_run(root.absolute(), keep=keep, as_json=current().json))


async def _run(root: Path, *, keep: bool, as_json: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    # As Ctrl-C does: what was started is ended on the way out.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="hubbub-demo-") as folder:
        story = Story(Path(folder), root, teller(as_json=as_json))
        await story.told(keep=keep)
