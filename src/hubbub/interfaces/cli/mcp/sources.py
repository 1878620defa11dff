"""The settings of clients on this machine, found and read."""

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from hubbub.interfaces.cli.mcp import dotenv, files, jsonc, servers
from hubbub.interfaces.cli.mcp.clients import CLIENTS, Client, Place, of_file, places
from hubbub.interfaces.cli.mcp.expansion import Surroundings
from hubbub.interfaces.cli.mcp.planning import Source
from hubbub.interfaces.cli.mcp.servers import Entry
from hubbub.kernel.errors import HubError, Invalid


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A file of settings, and the servers in it."""

    place: Place
    entries: list[Entry]
    asked: Mapping[str, Mapping[str, object]]
    """What the file has a person asked for, by its id."""


def of_client(client: Client, folder: Path) -> list[Settings]:
    """The settings of a client that there are, for this person and for the project in a folder.

    Raises:
        Invalid: one of them cannot be read.
    """
    found = [_settings(place, folder) for place in places(client, folder)]
    return [each for each in found if each is not None]


def of_one(file: Path, client: Client | None, folder: Path) -> Settings:
    """The settings in one file."""
    files.found(file)
    client = client or of_file(file.absolute())
    known = next((each for each in places(client, folder) if each.file == file.absolute()), None)
    found = _settings(known or Place(client=client, file=file.absolute(), scope="file"), folder)
    assert found is not None
    return found


def everywhere(folder: Path) -> list[tuple[Place, Settings | HubError]]:
    """Every file of settings that there is, or what is wrong with it."""
    found: list[tuple[Place, Settings | HubError]] = []
    for client in CLIENTS.values():
        for place in places(client, folder):
            try:
                settings = _settings(place, folder)
            except HubError as error:
                found.append((place, error))
            else:
                found += [] if settings is None else [(place, settings)]
    return found


def source(settings: Settings, folder: Path) -> Source:
    """A file's servers, with what its variables stand for here."""
    place = settings.place
    base = place.folder if place.scope == "project" else folder
    surroundings = Surroundings(
        environment=os.environ,
        folder=str(base),
        home=str(Path.home()),
        ask=cache(lambda id: _ask(settings, id)),  # once, however often it is needed
        bare=place.client.bare,
    )
    return Source(
        title=place.client.id if place.scope in ("user", "older") else str(place.file),
        entries=settings.entries,
        surroundings=surroundings,
        read_env=lambda path: _env(base / Path(path).expanduser()),
        at_home=place.scope == "project",
    )


def _settings(place: Place, folder: Path) -> Settings | None:
    text = files.text_of(place.file)
    if text is None:
        return None
    try:
        read = _toml(text) if place.client.syntax == "toml" else jsonc.read(text)
        entries = servers.entries(place.client, read, str(folder))
    except HubError as error:
        raise Invalid(f"{place.file}: {error.message}", **error.details) from error
    if place.scope == "older" and not entries:
        return None  # as it should be by now
    within = read.get("mcp")
    inputs = (within if isinstance(within, dict) else read).get("inputs")
    asked = {
        each["id"]: each
        for each in (inputs if isinstance(inputs, list) else ())
        if isinstance(each, dict) and isinstance(each.get("id"), str)
    }
    return Settings(place=place, entries=entries, asked=asked)


def _toml(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the file is no TOML: {error}") from error


def _env(file: Path) -> dict[str, str]:
    return dotenv.read(files.found(file))


def _ask(settings: Settings, id: str) -> str | None:
    """What the person answers; None where nobody is there to ask."""
    if not sys.stdin.isatty():
        return None
    asked = settings.asked.get(id, {})
    default = asked.get("default")
    answer: str = click.prompt(
        str(asked.get("description") or id),
        default=default if isinstance(default, str) else None,
        hide_input=bool(asked.get("password")),
        err=True,
    )
    return answer
