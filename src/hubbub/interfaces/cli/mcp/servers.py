"""The servers in a client's settings, whatever its way to write them. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from hubbub.interfaces.cli.mcp.clients import Client
from hubbub.kernel.errors import Invalid

Transport = Literal["stdio", "streamable-http", "sse"]

SECTIONS: Final = (("mcpServers",), ("servers",), ("context_servers",), ("mcp_servers",))
NESTED: Final = (("mcp", "servers"), ("mcp", "mcpServers"))
"""Where else servers were found, in files of whatever client."""
SERVERS_MAX: Final = 1000

TRANSPORTS: Final[Mapping[str, Transport]] = {
    "stdio": "stdio",
    "local": "stdio",
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "streamablehttp": "streamable-http",
    "streamable_http": "streamable-http",
    "remote": "streamable-http",
    "sse": "sse",
}

# What says nothing that a hub has to do, or is read here.
_READ: Final = frozenset(
    {
        "type", "transport", "command", "args", "env", "environment", "envFile", "env_vars", "cwd",
        "url", "serverUrl", "httpUrl", "headers", "http_headers", "env_http_headers",
        "bearer_token_env_var", "disabled", "enabled", "timeout", "startup_timeout_sec",
        "startup_timeout_ms", "tool_timeout_sec", "source", "name", "description",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server as a client has it, with nothing replaced yet."""

    name: str
    at: str
    """Where it stands, for words about it."""
    transport: Transport
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str]
    env_file: str | None = None
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str]
    connect_timeout_s: float | None = None
    call_timeout_s: float | None = None
    enabled: bool = True
    left_out: tuple[str, ...] = ()
    """Keys that mean something to the client and nothing to the hub."""


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """An entry that is no server."""

    name: str
    at: str
    why: str
    foreign: bool = False
    """Whether it is something that only the client can have."""


Entry = Server | Unusable


def sections(client: Client, settings: object, project: str) -> Iterator[tuple[str, object]]:
    """Where servers stand in settings, and what stands there. Claude Code has more of them for
    the folder in which one works."""
    if not isinstance(settings, dict):
        raise Invalid(
            "these are no settings", errors=[{"field": "the whole", "expected": "an object"}]
        )
    known = (client.section, *(each for each in SECTIONS if each != client.section), *NESTED)
    found = [path for path in known if _under(settings, path) is not None]
    for path in found[:1]:
        yield ".".join(path), _under(settings, path)
    own = _under(settings, ("projects", project, "mcpServers"))
    if own is not None:
        yield f"projects.{project}.mcpServers", own
    if not found and own is None and settings and all(map(_looks_like_one, settings.values())):
        yield "", settings


def entries(client: Client, settings: object, project: str) -> list[Entry]:
    """Every server in a client's settings.

    Raises:
        Invalid: these are no settings.
    """
    found: list[Entry] = []
    for at, section in sections(client, settings, project):
        if not isinstance(section, dict):
            raise Invalid(
                "the servers are not as they should be",
                errors=[{"field": at, "expected": "an object"}],
            )
        found += [
            entry(client, name, f"{at}.{name}".lstrip("."), section[name]) for name in section
        ]
    if len(found) > SERVERS_MAX:
        raise Invalid(
            "too many servers", errors=[{"field": "servers", "expected": f"at most {SERVERS_MAX}"}]
        )
    return found


def entry(client: Client, name: str, at: str, written: object) -> Entry:
    """One server, or why it is none."""
    try:
        return _server(client, name, at, written)
    except _Unlike as error:
        foreign = isinstance(error, _Foreign)
        return Unusable(name=name, at=at, why=str(error), foreign=foreign)


class _Unlike(Exception):
    """An entry is not as any client writes it."""


class _Foreign(_Unlike):
    """An entry is one that only its client can follow."""


def _server(client: Client, name: str, at: str, written: object) -> Server:
    if not isinstance(written, dict):
        raise _Unlike("it is no object")
    if written.get("source") == "extension":
        raise _Foreign("it is an extension of the editor")
    command, args, env = _command(written)
    url = _text(written, "httpUrl") or _text(written, "serverUrl") or _text(written, "url")
    if (command is None) == (url is None):
        raise _Unlike("it names a command and a URL" if command else "it names no command, no URL")
    transport = _transport(client, written, url)
    if (transport == "stdio") == (command is None):
        raise _Unlike(f"its type is {transport}, and it names a {'URL' if url else 'command'}")
    return Server(
        name=name,
        at=at,
        transport=transport,
        command=command,
        args=args,
        env=env,
        env_file=_text(written, "envFile"),
        cwd=_text(written, "cwd") if command else None,
        url=url,
        headers=_headers(written) if url else {},
        connect_timeout_s=_seconds(written, startup_timeout_sec=1, startup_timeout_ms=1000),
        call_timeout_s=_seconds(written, tool_timeout_sec=1, timeout=1000),
        enabled=not written.get("disabled") and written.get("enabled") is not False,
        left_out=tuple(key for key in written if key not in _READ),
    )


def _command(written: dict[str, Any]) -> tuple[str | None, tuple[str, ...], dict[str, str]]:
    """Command, arguments and environment. Zed once had them in an object, others in a list."""
    command: Any = written.get("command")
    more: Mapping[str, Any] = written
    env = {name: f"${{{name}}}" for name in _texts(written, "env_vars")}
    match command:
        case dict():
            command, more = command.get("path"), command
        case [first, *others]:
            command, more = first, {**written, "args": others}
        case _:
            pass
    if command is not None and not (isinstance(command, str) and command):
        raise _Unlike("its command is no text")
    env |= _pairs(written, "environment") | _pairs(more, "env")
    return command, _texts(more, "args"), env if command else {}


def _transport(client: Client, written: dict[str, Any], url: str | None) -> Transport:
    said = written.get("type") or written.get("transport")
    if isinstance(said, str):
        if said.lower() not in TRANSPORTS:
            raise _Unlike(f"its type is {said}, which the hub does not speak")
        found = TRANSPORTS[said.lower()]
        return "sse" if found != "stdio" and _ends_in_sse(url) else found
    if url is None:
        return "stdio"
    plain = "httpUrl" not in written and "serverUrl" not in written
    return "sse" if _ends_in_sse(url) or (client.sse and plain) else "streamable-http"


def _ends_in_sse(url: str | None) -> bool:
    """By custom the older transport is at an address that says so."""
    try:
        return url is not None and urlsplit(url).path.rstrip("/").endswith("/sse")
    except ValueError:
        return False


def _headers(written: dict[str, Any]) -> dict[str, str]:
    """Headers; Codex names variables of the environment beside those that it writes out."""
    headers = _pairs(written, "headers") | _pairs(written, "http_headers")
    headers |= {name: f"${{{of}}}" for name, of in _pairs(written, "env_http_headers").items()}
    bearer = _text(written, "bearer_token_env_var")
    return {**headers, "Authorization": f"Bearer ${{{bearer}}}"} if bearer else headers


def _text(written: Mapping[str, Any], key: str) -> str | None:
    value = written.get(key)
    if value is not None and not isinstance(value, str):
        raise _Unlike(f"its {key} is no text")
    return value or None


def _texts(written: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = written.get(key) or ()
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise _Unlike(f"its {key} are no list")
    if not all(isinstance(each, str | int | float) for each in values):
        raise _Unlike(f"its {key} are no texts")
    return tuple(map(str, values))


def _pairs(written: Mapping[str, Any], key: str) -> dict[str, str]:
    values = written.get(key) or {}
    if not isinstance(values, dict):
        raise _Unlike(f"its {key} is no object")
    if not all(isinstance(each, str | int | float) for each in values.values()):
        raise _Unlike(f"its {key} holds something other than texts")
    return {name: _said(value) for name, value in values.items()}


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(written: dict[str, Any], **fields: int) -> float | None:
    """A time under one of some names, each of which has so many of its units in a second."""
    for key, a_second in fields.items():
        value = written.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return min(value / a_second, 86_400.0)
    return None


def _under(settings: object, path: Sequence[str]) -> object:
    for key in path:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def _looks_like_one(written: object) -> bool:
    keys = ("command", "url", "httpUrl", "serverUrl")
    return isinstance(written, dict) and any(key in written for key in keys)
