"""`hubbub login` and `hubbub logout`: the keys that this user has saved."""

import asyncio
import sys
from typing import Any

import click

from hubbub.interfaces.cli import credentials, printing
from hubbub.interfaces.cli.asking import connected
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.session import Session, current
from hubbub.kernel.errors import Invalid


@click.command(cls=Command)
@click.argument("url", required=False)
def login(url: str | None) -> None:
    """Save the key for a hub, after trying it.

    The key is asked for, or read from standard input: what stands on a command line or in the
    environment, others can read.
    """
    session = _session(url)
    key = _ask_for_key(session)
    account = asyncio.run(_account(session, key))
    file = credentials.save(session.hub, key)
    if session.json:
        printing.document({"url": session.hub, "account": account["id"]})
    else:
        click.echo(f"You are {account['email']} at {session.hub}. The key is in {file}")


@click.command(cls=Command)
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Forget the key for a hub. The key itself stays good: `hubbub do api-key revoke` ends it."""
    session = _session(url)
    known = credentials.forget(session.hub)
    if session.json:
        printing.document({"url": session.hub, "forgotten": known})
    else:
        click.echo(f"Forgotten: {session.hub}" if known else f"No key was saved for {session.hub}")


def _session(url: str | None) -> Session:
    session = current()
    if url is not None:
        session.url = url
    return session


def _ask_for_key(session: Session) -> str:
    if session.key_file is not None:
        key = session.key()
    elif sys.stdin.isatty():
        key = click.prompt(f"Key for {session.hub}", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise Invalid("a key is needed", errors=[{"field": "key", "expected": "the key of a hub"}])
    return key.strip()


async def _account(session: Session, key: str) -> Any:
    async with connected(session, key) as hub:
        return await hub.call("account.me")
