"""`hubbub mcp add`, `run` and `remove`: one server, by hand."""

from pathlib import Path
from typing import Any

import click

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import ask, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.given import pairs_of, secrets_of, unfit
from hubbub.interfaces.cli.mcp import names
from hubbub.interfaces.cli.mcp.expansion import Piece
from hubbub.interfaces.cli.mcp.secrecy import Vault
from hubbub.interfaces.cli.session import current
from hubbub.services import references


@click.command(cls=Command)
@click.argument("name")
@click.argument("target", nargs=-1, required=True, metavar="URL | -- COMMAND [ARGS]...")
@click.option("--header", "-H", "headers", multiple=True, metavar="'K: V'", help="Sent to a URL.")
@click.option("--env", "-e", "env", multiple=True, metavar="K=V", help="For a command.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="K=FILE|-",
    help="A secret from a file or standard input: ${secret:K} stands for it, and a command finds "
    "it in its environment.",
)
@click.option(
    "--transport",
    "-t",
    type=click.Choice(["stdio", "http", "sse"]),
    help="By default http for a URL, or sse if its path ends in /sse.",
)
@click.option("--cwd", help="The folder in which a command is run.")
@click.option("--group", help="The group to which its tools belong.")
def add(name: str, target: tuple[str, ...], **options: Any) -> None:
    """Have the hub connect to an MCP server.

    \b
      hubbub mcp add time -- uvx mcp-server-time
      hubbub mcp add tracker https://mcp.example.com/mcp -H 'X-Team: blue'
      hubbub mcp add github --secret GITHUB_TOKEN=token.txt -- npx -y server-github
    """
    _create(name, target, **options)


@click.command(cls=Command)
@click.argument("name")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.option("--env", "-e", "env", multiple=True, metavar="K=V")
@click.option("--secret", "secrets", multiple=True, metavar="K=FILE|-")
@click.option("--cwd", help="The folder in which it is run.")
@click.option("--group", help="The group to which its tools belong.")
def run(name: str, command: tuple[str, ...], **options: Any) -> None:
    """Have the hub run an MCP server, and start it again when it ends.

    What it says besides is to be read with `hubbub mcp logs NAME`.
    """
    _create(name, command, headers=(), transport="stdio", **options)


@click.command(cls=Command)
@click.argument("name")
def remove(name: str) -> None:
    """Forget a server, with its secrets."""
    ask("client.remove", {"client": name})
    if current().json:
        printing.document({"removed": name})
    else:
        click.echo(f"Forgotten: {name}")


def _create(name: str, target: tuple[str, ...], **options: Any) -> None:
    config, secrets = configured(name, target, **options)
    wanted = {"name": name, "type": "mcp-server", "config": config, "secrets": secrets}

    async def work(hub: Hub) -> Any:
        return await hub.call("client.create", wanted)

    made = with_hub(work)
    if current().json:
        printing.document(made)
        return
    click.echo(f"Added: {name}")
    if secrets:
        click.echo(f"  secrets: {', '.join(sorted(secrets))}")
    click.echo(f"  `hubbub mcp check {name}` tries it.", err=True)


def configured(
    name: str,
    target: tuple[str, ...],
    *,
    headers: tuple[str, ...],
    env: tuple[str, ...],
    secrets: tuple[str, ...],
    transport: str | None,
    cwd: str | None,
    group: str | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The config of a client and its secrets, from what was typed.

    Raises:
        Invalid: something does not go with the rest.
    """
    if names.fit(name) != name:
        raise unfit("name", f"a name such as {names.fit(name)}")
    vault = Vault(secrets=secrets_of(secrets))
    config: dict[str, Any] = {} if group is None else {"group": group}
    if transport != "stdio" and len(target) == 1 and target[0].startswith(("http://", "https://")):
        _refuse("a URL", env=env, cwd=cwd)
        config |= _dialled(target[0], transport, headers, vault)
    else:
        if transport not in (None, "stdio"):
            raise unfit("target", "a URL that begins with http:// or https://")
        _refuse("a command", headers=headers)
        config |= _run(target, env, cwd, vault)
    _require_used(config, vault)
    return {
        key: value for key, value in config.items() if value not in (None, [], {})
    }, vault.secrets


def _dialled(
    url: str, transport: str | None, headers: tuple[str, ...], vault: Vault
) -> dict[str, Any]:
    by_name = transport is None and url.partition("?")[0].rstrip("/").endswith("/sse")
    pairs = pairs_of(headers, ":", "--header", "'Name: value'")
    return {
        "transport": "sse" if transport == "sse" or by_name else "streamable-http",
        "url": vault.hidden("url", [Piece(text=url)]),
        "headers": {key: vault.hidden(key, [Piece(text=value)]) for key, value in pairs.items()},
    }


def _run(
    words: tuple[str, ...], env: tuple[str, ...], cwd: str | None, vault: Vault
) -> dict[str, Any]:
    given = {
        key: vault.hidden(key, [Piece(text=value)])
        for key, value in pairs_of(env, "=", "--env", "NAME=value").items()
    }
    config = {
        "transport": "stdio",
        "command": words[0],
        "args": vault.arguments(words[1:], lambda text: [Piece(text=text)]),
        "env": given,
        "cwd": None if cwd is None else str(Path(cwd).absolute()),
    }
    named = references.names(config)
    for key in vault.secrets:
        if key not in named:
            given.setdefault(key, f"${{secret:{key}}}")
    return config


def _require_used(config: dict[str, Any], vault: Vault) -> None:
    unused = sorted(vault.secrets.keys() - references.names(config))
    if unused:
        raise unfit("--secret", f"a header with ${{secret:{unused[0]}}} in it")


def _refuse(target: str, **given: object) -> None:
    for option, value in given.items():
        if value:
            raise unfit(f"--{option}", f"nothing where {target} is given")
