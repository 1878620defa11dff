"""Told to stop: the first word is heeded, a second one does not wait."""

import asyncio
import os
import signal


def stopping() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; a second one ends the process."""
    stopped = asyncio.Event()

    def stop(number: int) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    return stopped
