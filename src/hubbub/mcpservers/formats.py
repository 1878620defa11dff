"""Registries as others write them, all read into the same entries. Pure.

The official registry's `server.json` is the form that every other is brought into, for that is
what an installation reads. Values of settings are not taken over: they may be secrets.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hubbub.kernel.errors import Invalid
from hubbub.mcpservers.foreign import (
    PUBLISHER,
    TRANSPORTS,
    Json,
    configured,
    docker,
    list_in,
    object_in,
    text_in,
    toolhive,
)
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
SERVERS_MAX: Final = 50_000


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
    metadata = object_in(object_in(document).get("metadata"))
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
        name = text_in(server.get("name"))
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
            description=text_in(server.get("description"))[:DESCRIPTION_CHARS_MAX] or None,
            group=group,
            definition=_definition(server),
            tools=kept,
        )


def _servers(document: object, read: _Reading) -> Iterator[tuple[Json, str]]:
    """The servers as `server.json`, and the group of each."""
    if isinstance(document, list):
        yield from _official(document, read)
        return
    root = object_in(document)
    data = object_in(root.get("data"))
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
    for each in list_in(servers):
        item = object_in(each)
        server = object_in(item.get("server")) or item
        meta = object_in(item.get("_meta") if "server" in item else server.get("_meta"))
        official = object_in(meta.get(OFFICIAL))
        if official.get("isLatest") is False:
            continue
        if (official.get("status") or server.get("status")) == "deleted":
            read.gone.append(text_in(server.get("name")))
            continue
        yield server, "default"


def _toolhive(root: Json, read: _Reading) -> Iterator[tuple[Json, str]]:
    """ToolHive's own registry, or VS Code's `mcp.json`, which calls its servers the same."""
    servers = object_in(root.get("servers"))
    known = any("image" in object_in(each) for each in servers.values())
    if known or "remote_servers" in root or "last_updated" in root:
        yield from _each(servers, toolhive, read)
        yield from _each(root.get("remote_servers"), toolhive, read)
    else:
        yield from _each(servers, configured, read)
    for group in list_in(root.get("groups")):
        parts = object_in(group)
        name = text_in(parts.get("name")) or "default"
        for key in ("servers", "remote_servers"):
            for server, _ in _each(parts.get(key), toolhive, read):
                yield server, name


def _each(
    servers: object, convert: Callable[[str, Json], Json], read: _Reading
) -> Iterator[tuple[Json, str]]:
    for name, said in object_in(servers).items():
        if not isinstance(said, Mapping):
            read.refuse(f"{name}: expected an object")
            continue
        yield convert(str(name), said), "default"


def _identities(server: Json) -> Iterator[tuple[Identity, Transport, str | None]]:
    """All that a server is known by, and how it is spoken to there."""
    for remote in map(object_in, list_in(server.get("remotes"))):
        url = text_in(remote.get("url"))
        kind = text_in(remote.get("type")) or text_in(remote.get("transport_type"))
        if url:
            yield Identity(remote=True, url=url), _transport(kind, "streamable-http"), url
    for package in map(object_in, list_in(server.get("packages"))):
        identifier = text_in(package.get("identifier"))
        transport = object_in(package.get("transport"))
        kind = text_in(package.get("registryType"))
        if identifier:
            known = f"{kind}:{identifier}" if kind and kind not in ("oci", "docker") else identifier
            yield (
                Identity(remote=False, package=known),
                _transport(text_in(transport.get("type")), "stdio"),
                text_in(transport.get("url")) or None,
            )


def _transport(kind: str, otherwise: Transport) -> Transport:
    if not kind:
        return otherwise
    known = TRANSPORTS.get(kind.lower())
    if known is None:
        raise _unfit("transport", "stdio, sse or streamable-http")
    return known


def _tools(server: Json, identity: str) -> list[object] | None:
    """The tools that a publisher says its server has; None if nothing is said."""
    publishers = object_in(object_in(server.get("_meta")).get(PUBLISHER))
    for publisher in publishers.values():
        said = object_in(object_in(publisher).get(identity))
        definitions = list_in(said.get("tool_definitions"))
        named = {object_in(each).get("name") for each in definitions}
        names = [each for each in list_in(said.get("tools")) if each not in named]
        if definitions or names:
            return [*definitions, *({"name": each} for each in names)]
    return None


def _definition(server: Json) -> Json:
    """What is kept of a `server.json`: all of it but the tools, which have rows of their own."""
    meta = object_in(server.get("_meta"))
    publishers = {
        name: {
            key: (
                {
                    k: v
                    for k, v in object_in(said).items()
                    if k not in ("tool_definitions", "overview")
                }
                if isinstance(said, Mapping)
                else said
            )
            for key, said in object_in(publisher).items()
        }
        if isinstance(publisher, Mapping)
        else publisher
        for name, publisher in object_in(meta.get(PUBLISHER)).items()
    }
    kept = {key: value for key, value in server.items() if key != "_meta"}
    return {**kept, "_meta": {PUBLISHER: publishers}} if publishers else kept


def _unfit(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])
