"""The composition root: settings, database, domains, hub, interfaces. The only place that joins."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp

from hubbub.calls import store as calls_store
from hubbub.calls.inflight import Bounds
from hubbub.calls.local import LocalLink
from hubbub.calls.model import Reason
from hubbub.calls.operations import CallOperations, OperationRemoval
from hubbub.calls.recorder import CallGraph
from hubbub.calls.router import Router
from hubbub.calls.waiting import Calls
from hubbub.calls.watch import Watch
from hubbub.catalog import store as catalog_store
from hubbub.catalog.explaining import Explained
from hubbub.catalog.finder import Finder
from hubbub.catalog.model import Definition, defined
from hubbub.catalog.operations import OperationOperations
from hubbub.identity.door import Door
from hubbub.identity.first import first_key
from hubbub.identity.operations import AccountOperations, AuditOperations, KeyOperations
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.guard import Guard, is_loopback
from hubbub.interfaces.http import HttpDoor
from hubbub.interfaces.mcp.door import McpDoor
from hubbub.interfaces.mcp.live import Live
from hubbub.interfaces.mcp.views import Views
from hubbub.interfaces.metrics import Metrics
from hubbub.interfaces.registry import RegistryDoor
from hubbub.interfaces.server import bound, listening
from hubbub.interfaces.web import Parts, web
from hubbub.interfaces.websocket import WebSocketDoor
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Invalid
from hubbub.kernel.events import Bus
from hubbub.kernel.groups import every, surviving, ungrouped
from hubbub.mcpservers.configured import ConfiguredSources
from hubbub.mcpservers.finder import Finder as ServerFinder
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.matching import exact, tolerant
from hubbub.mcpservers.operations import RegistryOperations, WorkloadOperations
from hubbub.mcpservers.polling import Poller
from hubbub.mcpservers.vectors import Meaningless
from hubbub.operations.execution import Executor
from hubbub.operations.operation import Operation, operations_of
from hubbub.operations.recording import Recorder
from hubbub.profiles.operations import ProfileOperations
from hubbub.profiles.shelf import Shelf
from hubbub.search.choosing import chosen
from hubbub.search.embedding import Embedder
from hubbub.services import keyfile
from hubbub.services.configuration import AnyConfig
from hubbub.services.inspection import look_over
from hubbub.services.model import HTTP_API, MCP_SERVER, Client, HttpApi, McpServer
from hubbub.services.operations import ClientOperations
from hubbub.services.secret_operations import SecretOperations
from hubbub.services.secrets import Secrets
from hubbub.settings import Settings
from hubbub.spokes import store as spokes_store
from hubbub.spokes.operations import HubOperations, SpokeOperations
from hubbub.spokes.presence import BEAT_S, SPOKE, Presence
from hubbub.storage.database import Database, dialect_of
from hubbub.storage.migrate import upgrade
from hubbub.storage.sqlite import SQLiteDatabase, lock
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.adoption import Adoption
from hubbub.upstreams.connections import Connections
from hubbub.upstreams.mcp.upstream import McpUpstream
from hubbub.upstreams.oauth.authorizations import Authorizations
from hubbub.upstreams.oauth.grants import Grants
from hubbub.upstreams.oauth.operations import CALLBACK, AuthorizationOperations
from hubbub.upstreams.openapi.operations import OpenApiOperations
from hubbub.upstreams.openapi.upstream import HttpUpstream
from hubbub.upstreams.operations import ConnectionOperations
from hubbub.upstreams.upstream import CLIENT_PROVIDER, Around, Upstream
from hubbub.upstreams.workloads import EVERY_S, OwnWorkloads, followed, tools_at

log = logging.getLogger(__name__)

RETENTION_EVERY_S: Final = 3600.0
RETENTION_BATCH: Final = 1000
MEND_EVERY_S: Final = 60.0
RESERVED: Final = frozenset(
    {"mcp", "system"}
    | {
        domain.namespace
        for domain in (
            AccountOperations,
            KeyOperations,
            AuditOperations,
            OperationOperations,
            CallOperations,
            HubOperations,
            SpokeOperations,
            ProfileOperations,
            ClientOperations,
            OpenApiOperations,
            RegistryOperations,
            WorkloadOperations,
        )
    }
)
"""First segments of namespaces that no spoke and no client may use: the hub's own."""


@dataclass(frozen=True, kw_only=True)
class House:
    """A hub with all its rooms."""

    settings: Settings
    database: Database
    door: Door
    router: Router
    calls: Calls
    graph: CallGraph
    presence: Presence
    connections: Connections
    authorizations: Authorizations
    mcp: McpDoor
    sockets: WebSocketDoor
    app: ASGIApp
    operations: Sequence[Operation]
    first_key: str | None
    """The owner's key, if this start made it."""

    async def drain(self) -> None:
        """Take no more calls, tell everybody, and let what is in flight end, for a while."""
        self.router.drain()
        self.sockets.goodbye(retry_after_ms=500)
        self.mcp.goodbye()
        with anyio.move_on_after(self.settings.drain_s):
            await self.router.quiet()
        self.router.close()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """A hub that is ready: its schema is there, its past is in order, its doors can be opened.

    Raises:
        HubError: names what stands in the way.
    """
    bus = Bus()
    database = await open_database(settings.database_url, bus)
    traces = _traces(settings.otlp_endpoint)
    try:
        with ungrouped():
            async with anyio.create_task_group() as tasks:
                house = await _built(settings, database, bus, tasks, traces)
                tasks.start_soon(house.connections.run)
                tasks.start_soon(every, BEAT_S, house.presence.beat)
                tasks.start_soon(every, RETENTION_EVERY_S, partial(_keep, house))
                async with anyio.create_task_group() as recording:
                    # It outlives everything that it is to record.
                    recording.start_soon(house.graph.run)
                    try:
                        yield house
                    finally:
                        house.router.close()
                        house.graph.close()
                tasks.cancel_scope.cancel()
    finally:
        for each in traces:
            await asyncio.to_thread(each.close)
        await database.close()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[House, str]]:
    """A hub that listens, and its URL. Leaving the block drains it first."""
    # The address comes first: a start that fails must not have made a key that nobody was shown.
    with bound(settings.host, settings.port) as listener:
        async with (
            opened(settings) as house,
            listening(house.app, house.sockets, listener) as url,
        ):
            if is_loopback(settings.host):
                house.authorizations.redirect_url = f"{url}{CALLBACK}"
            try:
                yield house, url
            finally:
                with anyio.CancelScope(shield=True):
                    await house.drain()
                    house.sockets.close()


async def open_database(url: str, bus: Bus) -> Database:
    """The database at its newest schema, which is no other hub's meanwhile."""
    if dialect_of(url) == "sqlite":
        path = Path(url.removeprefix("sqlite:///"))
        held = lock(path)
        try:
            await asyncio.to_thread(upgrade, url)
        except BaseException:
            held.close()
            raise
        return SQLiteDatabase(path, bus, held)
    # The driver comes with an extra, and a hub on SQLite starts sooner without it.
    postgres = importlib.import_module("hubbub.storage.postgres")
    holder = await postgres.hold(url)
    try:
        await asyncio.to_thread(upgrade, url)
        opened: Database = await postgres.PostgresDatabase.open(url, bus, holder)
    except BaseException:
        await holder.close()
        raise
    return opened


async def _built(
    settings: Settings,
    database: Database,
    bus: Bus,
    tasks: TaskGroup,
    traces: Sequence[Recorder],
) -> House:
    graph, watch, metrics = CallGraph(database, settings.record_bytes_max), Watch(), Metrics()
    router = Router([graph, watch, metrics, *traces], _bounds(settings))
    calls = Calls(router, Explained(database))
    door = Door(database, bus, utc_now)
    presence = Presence(router, database, utc_now, tasks, RESERVED)
    ring = await keyfile.opened(settings.key_path, database)
    tasks.start_soon(surviving, look_over, database, ring)
    secrets = Secrets(database, ring, utc_now)
    authorizations = Authorizations(bus, Grants(database, secrets, utc_now), tasks)
    around = Around(router=router, database=database, bus=bus)
    connections = _connections(around, secrets, authorizations)
    shelf, views = Shelf(database, bus), Views(router.offers, connections)
    embedder = chosen(settings.choice, database, utc_now)
    finder = Finder(database, bus, embedder, by_meaning=settings.choice.by_meaning)
    tasks.start_soon(surviving, finder.run)
    operations = _operations(
        *(AccountOperations(), KeyOperations(), AuditOperations()),
        OperationOperations(finder, Live(router.offers, views, shelf)),
        *(CallOperations(router, watch), OperationRemoval(router)),
        *(HubOperations(presence), SpokeOperations()),
        *(ClientOperations(secrets, RESERVED), SecretOperations(secrets)),
        ConnectionOperations(connections, secrets, authorizations),
        AuthorizationOperations(authorizations, secrets),
        *(OpenApiOperations(secrets, RESERVED), ProfileOperations()),
        *_known_servers(settings, around, secrets, connections, embedder, tasks),
    )
    rows, key = await database.write(partial(_settle, operations=operations))
    local = LocalLink(calls, Executor(database, utc_now), operations, tasks)
    router.offer(local.provider, [(_defined(op, rows), op.spec.id) for op in operations])
    guard = Guard(settings.host, settings.hosts)
    sockets = WebSocketDoor(
        calls=calls,
        presence=presence,
        door=door,
        bus=bus,
        guard=guard,
        tasks=tasks,
        ping_s=settings.ping_s,
        peer_bytes_max=settings.peer_bytes_max,
    )
    entrance = Entrance(calls=calls, door=door, bus=bus)
    mcp = McpDoor(entrance=entrance, router=router, bus=bus, shelf=shelf, views=views)
    parts = Parts(
        entrance=entrance,
        http=HttpDoor(entrance=entrance, offers=router.offers),
        registry=RegistryDoor(entrance=entrance, database=database),
        mcp=mcp,
        sockets=sockets,
        router=router,
        graph=graph,
        presence=presence,
        authorizations=authorizations,
        database=database,
        metrics=metrics,
        operations=operations,
    )
    return House(
        settings=settings,
        database=database,
        door=door,
        router=router,
        calls=calls,
        graph=graph,
        presence=presence,
        connections=connections,
        authorizations=authorizations,
        mcp=mcp,
        sockets=sockets,
        app=web(parts, guard, private=not is_loopback(settings.host)),
        operations=operations,
        first_key=key,
    )


def _known_servers(
    settings: Settings,
    around: Around,
    secrets: Secrets,
    connections: Connections,
    embedder: Embedder | None,
    tasks: TaskGroup,
) -> tuple[RegistryOperations, WorkloadOperations]:
    """What can be had and what runs, kept in step with their sources."""
    database, bus = around.database, around.bus
    ingestion = _ingestion(settings, database, embedder)
    poller = Poller(ingestion, utc_now, tasks)
    finder = ServerFinder(database, bus, embedder, by_meaning=settings.choice.by_meaning)
    poller.add_workloads(OwnWorkloads(database, connections), EVERY_S)
    sources = ConfiguredSources(database, bus, secrets, poller, utc_now, tools_at)
    for run in (finder.run, sources.run, Adoption(database, bus, utc_now).run):
        tasks.start_soon(surviving, run)
    tasks.start_soon(surviving, followed, bus, poller)
    tasks.start_soon(every, MEND_EVERY_S, poller.mend)
    return (
        RegistryOperations(ingestion, poller, finder),
        WorkloadOperations(ingestion, poller, finder),
    )


def _ingestion(settings: Settings, database: Database, chosen: Embedder | None) -> Ingestion:
    alike = tolerant if settings.server_matching == "tolerant" else exact
    make = partial(_model, chosen, by_meaning=settings.choice.by_meaning)
    return Ingestion(database, make, utc_now, alike)


def _model(chosen: Embedder | None, *, by_meaning: bool) -> Embedder:
    """What servers and their tools are embedded by. The hub's own stands on numpy, and is loaded
    when there is something to embed."""
    if not by_meaning:
        return Meaningless()
    if chosen is not None:
        return chosen
    own: Embedder = importlib.import_module("hubbub.search.static").built_in()
    return own


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        timeout_s=settings.call_timeout_s,
        timeout_s_max=settings.call_timeout_s_max,
        idle_timeout_s=settings.idle_timeout_s,
    )


def _operations(*domains: object) -> list[Operation]:
    """The hub's own operations, of all domains."""
    return [operation for domain in domains for operation in operations_of(domain)]


def _connections(around: Around, secrets: Secrets, authorizations: Authorizations) -> Connections:
    def mcp_server(client: Client, config: AnyConfig) -> Upstream:
        assert isinstance(config, McpServer)
        return McpUpstream(client, config, around, authorizations.of(client, config))

    def http_api(client: Client, config: AnyConfig) -> Upstream:
        assert isinstance(config, HttpApi)
        return HttpUpstream(client, config, around)

    makers = {MCP_SERVER: mcp_server, HTTP_API: http_api}
    return Connections(around.database, around.bus, secrets, makers)


def _defined(operation: Operation, rows: Mapping[str, str]) -> Definition:
    spec = operation.spec
    return defined(rows[spec.id], spec, own=True, sensitive=operation.sensitive)


async def _settle(
    tx: WriteTransaction, operations: Sequence[Operation]
) -> tuple[dict[str, str], str | None]:
    """Put the past in order, in one transaction: nobody is connected, no call is in flight, the
    hub's own operations are as this version has them, and somebody is in charge."""
    now = utc_now()
    await spokes_store.all_left(tx, now)
    for provider_type in (SPOKE, CLIENT_PROVIDER):
        await catalog_store.deactivate(tx, provider_type, None, now)
    closed = await calls_store.close_open(tx, Reason.HUB_RESTART.value, now)
    if closed:
        log.warning("%d calls were open when the hub last stopped", closed)
    stored, _ = await catalog_store.define(tx, [op.spec for op in operations], now)
    return {id: each.row for id, each in stored.items()}, await first_key(tx, now)


def _traces(endpoint: str) -> list[Any]:
    """The exporter of traces, if there is anybody to export to. It comes with an extra."""
    if not endpoint:
        return []
    try:
        traces = importlib.import_module("hubbub.interfaces.traces")
    except ImportError as error:
        raise Invalid(
            "traces need the extra `otel`: pip install 'hubbub[otel]'",
            errors=[{"field": "otlp_endpoint", "expected": "nothing, without the extra"}],
        ) from error
    return [traces.exported(endpoint)]


async def _keep(house: House) -> None:
    """Delete what is older than it is to be kept, a little at a time."""
    days = house.settings.call_retention_days
    if not days:
        return
    before = utc_now() - timedelta(days=days)
    delete: Any = partial(calls_store.delete_before, before=before, limit=RETENTION_BATCH)
    deleted = RETENTION_BATCH
    while deleted == RETENTION_BATCH:
        deleted = await house.database.write(delete)
