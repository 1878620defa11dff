"""What importing a client's servers comes to: for each of them a client of the hub, or why not. No
I/O but what is handed in."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from os.path import isabs, join, normpath
from typing import Any, Final
from urllib.parse import urlsplit

from hubbub.interfaces.cli.credentials import filed_as
from hubbub.interfaces.cli.mcp import names
from hubbub.interfaces.cli.mcp.expansion import Piece, Surroundings
from hubbub.interfaces.cli.mcp.secrecy import Vault
from hubbub.interfaces.cli.mcp.servers import Entry, Server, Unusable
from hubbub.kernel.errors import HubError
from hubbub.services import references

CONNECT_S: Final = 30.0
"""What the hub takes if nothing is said."""

ReadEnv = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A client that the hub is to have."""

    name: str
    source: str
    config: dict[str, Any]
    secrets: dict[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Nothing is to be done."""

    name: str
    source: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Something is to be mended first."""

    name: str
    source: str
    why: str


Step = Ready | Skipped | Refused


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where entries come from, and what they mean there."""

    title: str
    entries: list[Entry]
    surroundings: Surroundings
    read_env: ReadEnv
    at_home: bool
    """Whether a program is started in the project's folder unless something else is said."""


def planned(
    sources: Iterable[Source],
    *,
    hub: str,
    there: Mapping[str, Mapping[str, object]],
    only: frozenset[str] = frozenset(),
    renamed: Mapping[str, str] | None = None,
) -> list[Step]:
    """What becomes of every server; `there` are the configs of the clients that the hub has."""
    steps: list[Step] = []
    taken: dict[str, Ready] = {}
    for source in sources:
        for entry in source.entries:
            if only and entry.name not in only:
                continue
            step = _step(source, entry, hub, (renamed or {}).get(entry.name))
            if isinstance(step, Ready):
                step = _beside(step, taken, there)
            if isinstance(step, Ready):
                taken[step.name] = step
            steps.append(step)
    return steps


def _beside(
    step: Ready, taken: Mapping[str, Ready], there: Mapping[str, Mapping[str, object]]
) -> Step:
    """The step beside clients of the same name."""
    name, source = step.name, step.source
    other = taken.get(name)
    if other is not None:
        if (other.config, other.secrets) == (step.config, step.secrets):
            return Skipped(name=name, source=source, why=f"the same as in {other.source}")
        why = f"{other.source} has another server of this name: --rename gives one of them another"
        return Refused(name=name, source=source, why=why)
    if name in there:
        if dict(there[name]) == step.config:
            return Skipped(name=name, source=source, why="the hub has it already")
        why = "the hub has another client of this name: --rename OLD=NEW, or remove that one first"
        return Refused(name=name, source=source, why=why)
    return step


def _step(source: Source, entry: Entry, hub: str, wanted: str | None) -> Step:
    name = wanted or names.fit(entry.name)
    if isinstance(entry, Unusable):
        kind = Skipped if entry.foreign else Refused
        return kind(name=name, source=source.title, why=entry.why)
    if not entry.enabled:
        return Skipped(name=name, source=source.title, why="it is switched off there")
    around = replace(source.surroundings, missing=[])
    try:
        ready = _ready(source, entry, around, name)
    except HubError as error:
        return Refused(name=name, source=source.title, why=error.message)
    if around.missing:
        why = "; ".join(dict.fromkeys(around.missing))
        return Refused(name=name, source=source.title, why=why)
    if is_hub(ready.config, hub):
        return Skipped(name=name, source=source.title, why="it is this hub")
    return ready


def _ready(source: Source, server: Server, around: Surroundings, name: str) -> Ready:
    vault = Vault()

    def shown(called: str, text: str) -> str:
        return vault.hidden(called, around.expanded(text))

    def plain(text: str) -> str:
        return "".join(piece.text for piece in around.expanded(text))

    config: dict[str, Any] = {"transport": server.transport}
    if server.command is not None:
        env = {} if server.env_file is None else source.read_env(plain(server.env_file))
        given = {key: vault.hidden(key, [Piece(text=value)]) for key, value in env.items()}
        given |= {key: shown(key, value) for key, value in server.env.items()}
        config |= {
            "command": plain(server.command),
            "args": vault.arguments(server.args, around.expanded),
            "env": given,
            "cwd": _folder(server, around, plain, at_home=source.at_home),
        }
    else:
        headers = {key: shown(key, value) for key, value in server.headers.items()}
        config |= {"url": shown("url", server.url or ""), "headers": headers}
    if server.connect_timeout_s not in (None, CONNECT_S):
        config["connectTimeoutS"] = server.connect_timeout_s
    if server.call_timeout_s is not None:
        config["callTimeoutS"] = server.call_timeout_s
    config = {key: value for key, value in config.items() if value not in (None, [], {})}
    used = references.names(config)
    return Ready(
        name=name,
        source=source.title,
        config=config,
        secrets={key: value for key, value in vault.secrets.items() if key in used},
        notes=_notes(server, name),
    )


def _notes(server: Server, name: str) -> tuple[str, ...]:
    notes = [f"called {server.name} there"] if name != server.name else []
    if server.left_out:
        notes.append(f"not taken over: {', '.join(server.left_out)}")
    return tuple(notes)


def _folder(
    server: Server, around: Surroundings, plain: Callable[[str], str], *, at_home: bool
) -> str | None:
    """Where a program is run; None where that is left to the hub."""
    if server.cwd is None:
        own = at_home or server.at.startswith("projects.")
        return around.folder if own else None
    cwd = plain(server.cwd)
    return normpath(cwd if isabs(cwd) else join(around.folder, cwd))


def is_hub(config: Mapping[str, Any], hub: str) -> bool:
    """Whether a server is the hub itself, at its address or by its own command."""
    if config["transport"] != "stdio":
        return _is_address(str(config["url"]), hub)
    words = [str(config["command"]), *config.get("args", ())]
    if any(_is_address(word, hub) for word in words):  # by way of a program that bridges
        return True
    ours = any(re.split(r"[/\\]", word)[-1].removesuffix(".exe") == "hubbub" for word in words)
    return ours and any(pair == ("mcp", "stdio") for pair in pairwise(words))


def _is_address(text: str, hub: str) -> bool:
    try:
        parts = urlsplit(text)
        address = filed_as(f"{parts.scheme}://{parts.netloc}")
    except (HubError, ValueError):
        return False
    home = urlsplit(hub)
    endpoint = f"{home.path}/mcp"
    below = parts.path == endpoint or parts.path.startswith(f"{endpoint}/")
    return below and _same_place(address, f"{home.scheme}://{home.netloc}")


def _same_place(one: str, other: str) -> bool:
    return one.replace("[::1]", "127.0.0.1") == other.replace("[::1]", "127.0.0.1")
