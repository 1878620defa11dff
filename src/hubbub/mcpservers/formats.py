"""Registries as others write them, all read into the same entries. Pure.

The official registry's `server.json` is the form that every other is brought into, for that is
what an installation reads. Values of settings are not taken over: they may be secrets.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hubbub.kernel.errors import Invalid
from hubbub.mcpservers.commands import package_of
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import Transport
from hubbub.mcpservers.snapshots import (
    DESCRIPTION_CHARS_MAX,
    REFUSALS_MAX,
    RegistryEntry,
    RegistrySnapshot,
    fit,
    tools_of,
)

OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"
SERVERS_MAX: Final = 50_000

Json = Mapping[str, object]

_TRANSPORTS: Final[dict[str, Transport]] = {
    "stdio": "stdio",
    "sse": "sse",
    "streamable-http": "streamable-http",
    "streamable_http": "streamable-http",
    "streamablehttp": "streamable-http",
    "streaming": "streamable-http",
    "http": "streamable-http",
}


def parse(document: object, source: str) -> RegistrySnapshot:
    """The servers in a document of any form that is known.

    Raises:
        Invalid: if it is of none.
    """
    read = _Reading()
    for server, group in _servers(document, read):
        read.add(server, group)
    return RegistrySnapshot(
        source=source,
        servers=tuple(read.entries),
        gone=tuple(read.gone),
        refused=tuple(read.refused),
    )


def next_cursor(document: object) -> str | None:
    """Where the next page of the official registry's answer begins."""
    metadata = _object(_object(document).get("metadata"))
    cursor = metadata.get("nextCursor") or metadata.get("next_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


class _Reading:
    """What was read so far; one bad entry costs one entry."""

    def __init__(self) -> None:
        self.entries: list[RegistryEntry] = []
        self.gone: list[str] = []
        self.refused: list[str] = []

    def refuse(self, why: str) -> None:
        if len(self.refused) < REFUSALS_MAX:
            self.refused.append(why)

    def add(self, server: Json, group: str) -> None:
        name = _text(server.get("name"))
        seen: set[tuple[bool, str]] = set()
        try:
            for identity, transport, url in _identities(server):
                # One package over several transports is one server.
                if (identity.remote, identity.text) in seen:
                    continue
                seen.add((identity.remote, identity.text))
                entry = self._entry(server, name, group, identity, transport, url)
                fit(entry)
                if len(self.entries) == SERVERS_MAX:
                    raise _unfit("servers", f"at most {SERVERS_MAX}")
                self.entries.append(entry)
            if not seen:
                raise _unfit(name or "server", "a package or a remote")
        except Invalid as error:
            self.refuse(error.message)

    def _entry(
        self,
        server: Json,
        name: str,
        group: str,
        identity: Identity,
        transport: Transport,
        url: str | None,
    ) -> RegistryEntry:
        tools = _tools(server, identity.text)
        kept, refused = (None, ()) if tools is None else tools_of(tools)
        for why in refused:
            self.refuse(f"{name}: {why}")
        return RegistryEntry(
            name=name,
            identity=identity,
            transport=transport,
            url=url,
            description=_text(server.get("description"))[:DESCRIPTION_CHARS_MAX] or None,
            group=group,
            definition=_definition(server),
            tools=kept,
        )


def _servers(document: object, read: _Reading) -> Iterator[tuple[Json, str]]:
    """The servers as `server.json`, and the group of each."""
    if isinstance(document, list):
        yield from _official(document, read)
        return
    root = _object(document)
    data = _object(root.get("data"))
    if isinstance(data.get("servers"), list):
        yield from _official(data["servers"], read)
    elif isinstance(root.get("servers"), list):
        yield from _official(root["servers"], read)
    elif isinstance(root.get("registry"), Mapping):
        yield from _each(root["registry"], docker, read)
    elif isinstance(root.get("mcpServers"), Mapping):
        yield from _each(root["mcpServers"], configured, read)
    elif isinstance(root.get("servers"), Mapping) or "remote_servers" in root:
        yield from _toolhive(root, read)
    elif "packages" in root or "remotes" in root:
        yield root, "default"
    else:
        raise Invalid(
            "that is no registry",
            errors=[
                {
                    "field": "",
                    "expected": "a list of servers, a ToolHive registry, a Docker catalogue or "
                    "mcp.json",
                }
            ],
        )


def _official(servers: object, read: _Reading) -> Iterator[tuple[Json, str]]:
    for each in _list(servers):
        item = _object(each)
        server = _object(item.get("server")) or item
        meta = _object(item.get("_meta") if "server" in item else server.get("_meta"))
        official = _object(meta.get(OFFICIAL))
        if official.get("isLatest") is False:
            continue
        if (official.get("status") or server.get("status")) == "deleted":
            read.gone.append(_text(server.get("name")))
            continue
        yield server, "default"


def _toolhive(root: Json, read: _Reading) -> Iterator[tuple[Json, str]]:
    """ToolHive's own registry, or VS Code's `mcp.json`, which calls its servers the same."""
    servers = _object(root.get("servers"))
    known = any("image" in _object(each) for each in servers.values())
    if known or "remote_servers" in root or "last_updated" in root:
        yield from _each(servers, toolhive, read)
        yield from _each(root.get("remote_servers"), toolhive, read)
    else:
        yield from _each(servers, configured, read)
    for group in _list(root.get("groups")):
        parts = _object(group)
        name = _text(parts.get("name")) or "default"
        for key in ("servers", "remote_servers"):
            for server, _ in _each(parts.get(key), toolhive, read):
                yield server, name


def _each(
    servers: object, convert: Callable[[str, Json], Json], read: _Reading
) -> Iterator[tuple[Json, str]]:
    for name, said in _object(servers).items():
        if not isinstance(said, Mapping):
            read.refuse(f"{name}: expected an object")
            continue
        yield convert(str(name), said), "default"


def toolhive(name: str, said: Json) -> Json:
    """An entry of ToolHive's own registry as `server.json`."""
    name = _text(said.get("name")) or name
    image, url = _text(said.get("image")), _text(said.get("url"))
    inputs = [
        {
            "name": _text(each.get("name")),
            "description": _text(each.get("description")),
            "isRequired": each.get("required") is True,
            "isSecret": each.get("secret") is True,
            **({"default": each["default"]} if each.get("default") else {}),
        }
        for each in map(_object, _list(said.get("env_vars")))
    ]
    server: dict[str, object] = {
        "name": name,
        "title": _text(said.get("title")) or name,
        "description": _text(said.get("description")),
        "version": _text(said.get("version")) or _tag(image),
    }
    if image:
        package: dict[str, object] = {
            "registryType": "oci",
            "identifier": image,
            "transport": {"type": _text(said.get("transport")) or "stdio"},
            "environmentVariables": inputs,
        }
        if said.get("args"):
            package["packageArguments"] = [
                {"type": "positional", "value": arg} for arg in _list(said.get("args"))
            ]
        server["packages"] = [package]
    if url:
        remote: dict[str, object] = {"type": _text(said.get("transport")), "url": url}
        if said.get("headers"):
            remote["headers"] = [
                {
                    "name": _text(each.get("name")),
                    "description": _text(each.get("description")),
                    "isRequired": each.get("required") is True,
                    "isSecret": each.get("secret") is True,
                }
                for each in map(_object, _list(said.get("headers")))
            ]
        server["remotes"] = [remote]
    return _with_tools(_with_repository(server, said.get("repository_url")), image or url, said)


def docker(name: str, said: Json) -> Json:
    """An entry of Docker's catalogue as `server.json`."""
    image = _text(said.get("image"))
    remote = _object(said.get("remote"))
    url = _text(remote.get("url")) or _text(said.get("sseEndpoint"))
    secrets = [
        {"name": _text(each.get("env")), "isRequired": True, "isSecret": True}
        for each in map(_object, _list(said.get("secrets")))
    ]
    settings = [{"name": _text(each.get("name"))} for each in map(_object, _list(said.get("env")))]
    server: dict[str, object] = {
        "name": name,
        "title": _text(said.get("title")) or name,
        "description": _text(said.get("description")),
        "version": _tag(image),
    }
    if url:
        kind = "sse" if said.get("sseEndpoint") else _text(remote.get("transport_type"))
        server["remotes"] = [
            {
                "type": _TRANSPORTS.get(kind, "streamable-http"),
                "url": url,
                "headers": [{"name": each} for each in _object(remote.get("headers"))],
            }
        ]
    elif image:
        server["packages"] = [
            {
                "registryType": "oci",
                "identifier": image,
                "transport": {"type": "stdio"},
                "environmentVariables": [*secrets, *settings],
                "packageArguments": [
                    {"type": "positional", "value": arg} for arg in _list(said.get("command"))
                ],
            }
        ]
    tools = [_docker_tool(_object(each)) for each in _list(said.get("tools"))]
    return _with_tools(server, url or image, {"tool_definitions": tools} if tools else {})


def _docker_tool(said: Json) -> Json:
    """Docker states arguments one by one, or a schema, or neither."""
    tool: dict[str, object] = {"name": _text(said.get("name"))}
    for key in ("description", "annotations"):
        if said.get(key):
            tool[key] = said[key]
    arguments = [_object(each) for each in _list(said.get("arguments"))]
    schema: dict[str, object] = {"type": "object"}
    if arguments:
        schema["properties"] = {
            _text(each.get("name")): {
                "type": _text(each.get("type")) or "string",
                "description": _text(each.get("desc")) or _text(each.get("description")),
            }
            for each in arguments
        }
        schema["required"] = [
            _text(each.get("name")) for each in arguments if not each.get("optional")
        ]
    elif _object(said.get("parameters")).get("properties"):
        schema = dict(_object(said.get("parameters")))
    tool["inputSchema"] = schema
    return tool


def configured(name: str, said: Json) -> Json:
    """A server in a client's `mcp.json` as `server.json`. What its settings are set to is the
    client's own, and stays there."""
    server: dict[str, object] = {
        "name": name,
        "title": name,
        "description": _text(said.get("description")),
        "version": "latest",
    }
    url = _text(said.get("url")) or _text(said.get("serverUrl")) or _text(said.get("httpUrl"))
    if url:
        kind = _text(said.get("type")) or _text(said.get("transport"))
        headers = [
            {"name": each, "isRequired": True, "isSecret": True}
            for each in _object(said.get("headers"))
        ]
        server["remotes"] = [
            {"type": _TRANSPORTS.get(kind, "streamable-http"), "url": url, "headers": headers}
        ]
        return server
    command = _text(said.get("command"))
    if not command:
        return server
    args = [each for each in _list(said.get("args")) if isinstance(each, str)]
    kind, _, identifier = package_of(command, args).partition(":")
    known = kind in ("npm", "pypi", "nuget")
    server["packages"] = [
        {
            "registryType": kind if known else "oci",
            "identifier": identifier if known else package_of(command, args),
            "transport": {"type": "stdio"},
            "runtimeHint": command,
            "environmentVariables": [
                {"name": each, "isRequired": True, "isSecret": True}
                for each in _object(said.get("env"))
            ],
        }
    ]
    return server


def _identities(server: Json) -> Iterator[tuple[Identity, Transport, str | None]]:
    """All that a server is known by, and how it is spoken to there."""
    for remote in map(_object, _list(server.get("remotes"))):
        url = _text(remote.get("url"))
        kind = _text(remote.get("type")) or _text(remote.get("transport_type"))
        if url:
            yield Identity(remote=True, url=url), _transport(kind, "streamable-http"), url
    for package in map(_object, _list(server.get("packages"))):
        identifier = _text(package.get("identifier"))
        transport = _object(package.get("transport"))
        kind = _text(package.get("registryType"))
        if identifier:
            known = f"{kind}:{identifier}" if kind and kind not in ("oci", "docker") else identifier
            yield (
                Identity(remote=False, package=known),
                _transport(_text(transport.get("type")), "stdio"),
                _text(transport.get("url")) or None,
            )


def _transport(kind: str, otherwise: Transport) -> Transport:
    if not kind:
        return otherwise
    known = _TRANSPORTS.get(kind.lower())
    if known is None:
        raise _unfit("transport", "stdio, sse or streamable-http")
    return known


def _tools(server: Json, identity: str) -> list[object] | None:
    """The tools that a publisher says its server has; None if nothing is said."""
    publishers = _object(_object(server.get("_meta")).get(PUBLISHER))
    for publisher in publishers.values():
        said = _object(_object(publisher).get(identity))
        definitions = _list(said.get("tool_definitions"))
        named = {_object(each).get("name") for each in definitions}
        names = [each for each in _list(said.get("tools")) if each not in named]
        if definitions or names:
            return [*definitions, *({"name": each} for each in names)]
    return None


def _with_tools(server: Json, identity: str, said: Json) -> Json:
    told = {key: said[key] for key in ("tools", "tool_definitions", "tags") if said.get(key)}
    return {**server, "_meta": {PUBLISHER: {"hubbub": {identity: told}}}} if told else server


def _with_repository(server: Json, url: object) -> Json:
    address = _text(url)
    if not address:
        return server
    source = "github" if "github.com" in address else "git"
    return {**server, "repository": {"url": address, "source": source}}


def _definition(server: Json) -> Json:
    """What is kept of a `server.json`: all of it but the tools, which have rows of their own."""
    meta = _object(server.get("_meta"))
    publishers = {
        name: {
            key: (
                {
                    k: v
                    for k, v in _object(said).items()
                    if k not in ("tool_definitions", "overview")
                }
                if isinstance(said, Mapping)
                else said
            )
            for key, said in _object(publisher).items()
        }
        if isinstance(publisher, Mapping)
        else publisher
        for name, publisher in _object(meta.get(PUBLISHER)).items()
    }
    kept = {key: value for key, value in server.items() if key != "_meta"}
    return {**kept, "_meta": {PUBLISHER: publishers}} if publishers else kept


def _tag(image: str) -> str:
    last = image.rpartition("/")[2].partition("@")[0]
    return last.partition(":")[2] or "latest"


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _unfit(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])
