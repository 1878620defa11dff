"""One call from the first word to the last: progress, answers, and the end that Ctrl-C makes."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from hubbub.client import Answer, Hub
from hubbub.client import Progress as Report
from hubbub.client.pending import Watcher
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.session import Session
from hubbub.kernel.errors import HubError

CALL_S: Final = 60.0
ABORT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be called, and how."""

    operation: str
    input: dict[str, Any]
    streams: bool = False
    provider: str | None = None
    timeout_s: float | None = None
    """Of a call the whole of it, by default a minute; of a stream the time between answers, by
    default as the hub has it."""


async def perform(hub: Hub, session: Session, wanted: Wanted) -> None:
    """Call, and print what comes."""
    if wanted.streams:
        await _stream(hub, session, wanted)
        return
    began = time.monotonic()
    with _shown_progress() as watcher:
        answer = await _answer(hub, wanted, watcher)
    _print(answer.data(), session)
    if not session.json and sys.stderr.isatty():
        ms = (time.monotonic() - began) * 1000
        printing.err().print(f"[dim]{printing.duration(ms)}  call {answer.call_id}[/dim]")


async def _answer(hub: Hub, wanted: Wanted, watcher: Watcher | None) -> Answer:
    call = await hub.start(
        wanted.operation,
        wanted.input,
        timeout_s=wanted.timeout_s or CALL_S,
        provider=wanted.provider,
        progress=watcher,
    )
    try:
        return await call.answer()
    except asyncio.CancelledError:
        # Ctrl-C: the hub is to know before we leave, and with the call end all that it began.
        try:
            async with asyncio.timeout(ABORT_S):
                await call.abort()
                await call.answer()
        except (HubError, TimeoutError):
            pass
        raise


async def _stream(hub: Hub, session: Session, wanted: Wanted) -> None:
    answers = hub.subscribe(
        wanted.operation,
        wanted.input,
        idle_timeout_s=wanted.timeout_s,
        provider=wanted.provider,
    )
    async with aclosing(answers):
        async for answer in answers:
            printing.line(answer, as_json=session.json)


def _print(value: object, session: Session) -> None:
    if session.json:
        printing.document(value)
    elif value is not None:
        printing.readable(value)


@contextmanager
def _shown_progress() -> Iterator[Watcher | None]:
    """A bar on standard error once something is reported; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = printing.bar()
    task = bar.add_task("", total=None, amount="")

    def watch(report: Report) -> None:
        bar.start()
        amount = f"{report.progress:g}" + (f"/{report.total:g}" if report.total else "")
        bar.update(
            task,
            completed=report.progress,
            total=report.total,
            description=printing.plain(report.message),
            amount=amount,
        )

    try:
        yield watch
    finally:
        bar.stop()
