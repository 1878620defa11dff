"""What agents are shown, and under which names."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import Raw

from hubbub.calls.model import Provider
from hubbub.calls.offers import Offering, Offers
from hubbub.catalog.model import Definition
from hubbub.interfaces.mcp.names import Named, published, qualified
from hubbub.operations.access import Identity, allowed
from hubbub.profiles.model import Profile
from hubbub.protocol.codec import encode
from hubbub.protocol.specs import ANYBODY, AccessControl, OperationSpec
from hubbub.upstreams.mcp.headers import Path, annotated
from hubbub.upstreams.servers import Server, Servers

CLIENT: Final = "client"
ASIDE: Final = "mcp"
"""The namespace of what MCP servers can be asked besides their tools."""
NO_GROUP: Final = "default"
TABLES_MAX: Final = 64
NAME_BYTES: Final = len('{"name":"",')


@dataclass(frozen=True, kw_only=True)
class View:
    """What is shown at one address."""

    path: str
    searching: bool
    """Whether tools are to be found by others, which are shown instead of them."""
    profile: Profile | None = None
    chosen_by: str | None = None
    """The name of the profile that says what is shown, whether or not there is one."""

    @property
    def key(self) -> tuple[object, ...]:
        """The same for views that show the same."""
        chosen = self.profile and (self.profile.name, self.profile.updated_at)
        return (self.searching, chosen)

    def shows(self, server: str, group: str) -> bool:
        return self.profile is None or self.profile.shows(server, group)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a tool comes from."""

    server: str
    group: str
    own: str
    """Its name there."""
    access: frozenset[AccessControl]
    """Of those who offer it; any of them will do."""
    provider_id: str
    """Of one of them."""
    legacy: bool
    """Whether it does not take up again what it broke off to ask."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """An operation as a tool."""

    definition: Definition
    origin: Origin
    headers: Mapping[Path, str]
    """Arguments that are repeated in headers."""
    shown: bytes
    """The tool as MCP has it, but for its name."""

    @property
    def id(self) -> str:
        return self.definition.id

    def visible(self, identity: Identity | None) -> bool:
        """Whether this caller may call it, and so may know of it."""
        return allowed(self.definition.spec.access_control, identity) and _open(
            self.origin.access, identity
        )

    def tool(self, name: str) -> Raw:
        return Raw(b'{"name":%b,%b' % (encode(name), self.shown))


class Table:
    """The tools of a view: by their names, whoever looks."""

    def __init__(self, entries: Iterable[Entry], view: View) -> None:
        entries = list(entries)
        by_id = {entry.id: entry for entry in entries}
        named = published(Named(each.id, each.origin.server, each.origin.own) for each in entries)
        self.names: dict[str, Entry] = {name: by_id[named[name]] for name in sorted(named)}
        self.ids = sorted(by_id)
        self._by_id = by_id
        self._others = _other_names(entries)
        self._classes: dict[tuple[object, ...], _Class] = {}
        self.pinned = [
            (name, entry)
            for name, entry in self.names.items()
            if view.profile is not None and view.profile.pins(entry.id, entry.origin.own, name)
        ]
        for name, entry in self.names.items():
            if not entry.definition.streams:
                self._weigh(name, entry)

    def get(self, id: str, identity: Identity | None) -> Entry | None:
        """The tool that is this operation, if this caller may know of it."""
        entry = self._by_id.get(id)
        return entry if entry is not None and entry.visible(identity) else None

    def find(self, name: str, identity: Identity | None) -> Entry | None:
        """The tool that is called so, by any of its names, if this caller may know of it."""
        entry = self.names.get(name) or self._others.get(name)
        return entry if entry is not None and entry.visible(identity) else None

    def visible(self, identity: Identity | None, after: str = "") -> Iterator[tuple[str, Entry]]:
        """The tools that this caller may call, in the order of their names. What has no end of its
        own is none: whoever calls it would wait for ever."""
        return (
            (name, entry)
            for name, entry in self.names.items()
            if name > after and not entry.definition.streams and entry.visible(identity)
        )

    def weight(self, identity: Identity | None) -> tuple[int, int]:
        """How many tools this caller may call, and how many bytes it takes to show them all."""
        seen = self._seen(identity)
        return sum(each.count for each in seen), sum(each.bytes for each in seen)

    def namespaces(self, identity: Identity | None) -> list[str]:
        """Where the tools are that this caller may call."""
        return sorted(set().union(*(each.namespaces for each in self._seen(identity))))

    def mark(self, identity: Identity | None) -> int:
        """Another number when this caller is shown something else."""
        return hash(tuple(each.mark for each in self._seen(identity)))

    def _seen(self, identity: Identity | None) -> list["_Class"]:
        return [each for each in self._classes.values() if each.first.visible(identity)]

    def _weigh(self, name: str, entry: Entry) -> None:
        key = (entry.definition.spec.access_control, entry.origin.access)
        seen = self._classes.setdefault(key, _Class(first=entry))
        seen.count += 1
        seen.bytes += len(name) + len(entry.shown) + NAME_BYTES
        seen.mark ^= hash((name, entry.shown))
        seen.namespaces.add(entry.definition.spec.namespace)


@dataclass(kw_only=True)
class _Class:
    """Tools that whoever may see one of them may see: nobody has to look at each."""

    first: Entry
    count: int = 0
    bytes: int = 0
    mark: int = 0
    namespaces: set[str] = field(default_factory=set)


class Views:
    """Tables of tools, made anew when something else is offered."""

    def __init__(self, offers: Offers, servers: Servers) -> None:
        self._offers = offers
        self._servers = servers
        self._version = -1
        self._entries: dict[Definition, Entry] = {}
        self._tables: OrderedDict[tuple[object, ...], Table] = OrderedDict()

    def table(self, view: View) -> Table:
        """The tools of this view, as they are now."""
        if self._version != self._offers.version:
            self._version = self._offers.version
            self._tables.clear()
            self._read()
        table = self._tables.get(view.key)
        if table is None:
            table = self._tables[view.key] = Table(_chosen(self._entries.values(), view), view)
            if len(self._tables) > TABLES_MAX:
                self._tables.popitem(last=False)
        else:
            self._tables.move_to_end(view.key)
        return table

    def servers(self, view: View, identity: Identity | None) -> list[Server]:
        """The MCP servers that this caller may use here, in the order of their names."""
        access = {each.id: each.access for each in self._offers.providers() if each.type == CLIENT}
        return [
            server
            for server in self._servers.all()
            if view.shows(server.name, server.group)
            and server.client_id in access
            and allowed(access[server.client_id], identity)
        ]

    def _read(self) -> None:
        servers = {server.client_id: server for server in self._servers.all()}
        before, self._entries = self._entries, {}
        for offering in self._offers.all():
            definition = offering.definition
            if definition.spec.namespace == ASIDE:
                continue
            origin = _origin(offering, servers)
            known = before.get(definition)
            # Most are what they were, and what they are shown as was written already.
            if known is None or known.origin != origin:
                known = _entry(definition, origin)
            self._entries[definition] = known


def _origin(offering: Offering, servers: Mapping[str, Server]) -> Origin:
    first = min(offering.providers, key=lambda provider: (provider.type, provider.id))
    server = servers.get(first.id)
    return Origin(
        server=first.name,
        group=NO_GROUP if server is None else server.group,
        own=_own_name(offering.definition.spec, first, offering.providers[first]),
        access=frozenset(provider.access for provider in offering.providers),
        provider_id=first.id,
        legacy=server is None or server.era == "legacy",
    )


def _entry(definition: Definition, origin: Origin) -> Entry:
    # Whatever is not of MCP says nothing of headers.
    headers = annotated(definition.spec.input_schema) if "mcp" in definition.spec.meta else {}
    shown_without_name = encode(shown(definition.spec))[1:]
    return Entry(definition=definition, origin=origin, headers=headers, shown=shown_without_name)


def _own_name(spec: OperationSpec, provider: Provider, local_id: str) -> str:
    given = spec.meta.get("mcp")
    if isinstance(given, dict):
        return str(given.get("name", spec.name))
    # What a client offers has its name for a namespace, which is said otherwise.
    return spec.name if provider.type == CLIENT else local_id.replace(".", "_")


def shown(spec: OperationSpec) -> dict[str, object]:
    """An operation as a tool without a name. What its server said of it stands as it was said."""
    schema = spec.input_schema if isinstance(spec.input_schema, dict) else {}
    if schema.get("type") != "object":
        schema = {"type": "object", **schema}
    tool: dict[str, object] = {"description": spec.description, "inputSchema": schema}
    given = spec.meta.get("mcp")
    if isinstance(given, dict):
        if not spec.description:
            del tool["description"]
        return tool | {key: value for key, value in given.items() if key != "name"}
    if spec.title:
        tool["title"] = spec.title
    reads = spec.type == "query"
    tool["annotations"] = {"readOnlyHint": reads, "idempotentHint": reads or spec.idempotent}
    return tool


def _chosen(entries: Iterable[Entry], view: View) -> Iterator[Entry]:
    profile = view.profile
    for entry in entries:
        at = entry.origin
        names = (entry.id, at.own, qualified(at.server, at.own))
        if profile is None or profile.chooses(at.server, at.group, *names):
            yield entry


def _other_names(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The names that a tool has whatever else there is."""
    others: dict[str, Entry] = {}
    for entry in entries:
        others[entry.id] = entry
        others.setdefault(qualified(entry.origin.server, entry.origin.own), entry)
    return others


def _open(access: frozenset[AccessControl], identity: Identity | None) -> bool:
    return ANYBODY in access or any(allowed(each, identity) for each in access)
