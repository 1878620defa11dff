"""`hubbub mcp add`, `run` and `remove`: one server, by hand."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import ask, with_hub
from hubbub.interfaces.cli.commands import Command
from hubbub.interfaces.cli.mcp import names
from hubbub.interfaces.cli.mcp.expansion import Piece
from hubbub.interfaces.cli.mcp.secrecy import Vault
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import Invalid
from hubbub.services import references

SECRET_BYTES_MAX: Final = 65_536


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
        raise _invalid("name", f"a name such as {names.fit(name)}")
    vault = Vault(secrets=_secrets(secrets))
    config: dict[str, Any] = {} if group is None else {"group": group}
    if transport != "stdio" and len(target) == 1 and target[0].startswith(("http://", "https://")):
        _refuse("a URL", env=env, cwd=cwd)
        config |= _dialled(target[0], transport, headers, vault)
    else:
        if transport not in (None, "stdio"):
            raise _invalid("target", "a URL that begins with http:// or https://")
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
    pairs = _pairs(headers, ":", "--header", "'Name: value'")
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
        for key, value in _pairs(env, "=", "--env", "NAME=value").items()
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
        raise _invalid("--secret", f"a header with ${{secret:{unused[0]}}} in it")


def _secrets(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for key, source in _pairs(pairs, "=", "--secret", "NAME=FILE, or NAME=-").items():
        try:
            text = sys.stdin.read(SECRET_BYTES_MAX) if source == "-" else Path(source).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise _invalid("--secret", f"a file of text: {error}") from error
        found[key] = text.strip()
        if not found[key]:
            raise _invalid("--secret", f"something in {source}")
    return found


def _pairs(texts: Iterable[str], sign: str, option: str, expected: str) -> dict[str, str]:
    found = {}
    for text in texts:
        key, there, value = text.partition(sign)
        if not (there and key.strip()):
            raise _invalid(option, expected)
        found[key.strip()] = value.strip() if sign == ":" else value
    return found


def _refuse(target: str, **given: object) -> None:
    for option, value in given.items():
        if value:
            raise _invalid(f"--{option}", f"nothing where {target} is given")


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("that does not fit", errors=[{"field": field, "expected": expected}])
