"""What the hub itself is connected to, as servers that run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio

from hubbub.kernel.errors import ExecutionFailed, HubError, TimedOut
from hubbub.kernel.events import Bus
from hubbub.mcpservers.commands import package_of
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import Status
from hubbub.mcpservers.polling import Poller
from hubbub.mcpservers.snapshots import WorkloadEntry, WorkloadSnapshot, tools_of
from hubbub.mcpservers.sources import Reached
from hubbub.protocol.mcp import RpcError
from hubbub.protocol.specs import ANYBODY
from hubbub.services import configuration, store
from hubbub.services.model import MCP_SERVER, Client, McpServer
from hubbub.storage.database import Database
from hubbub.upstreams.connections import Connections
from hubbub.upstreams.logs import Logs
from hubbub.upstreams.mcp.connecting import connected
from hubbub.upstreams.mcp.greeting import Known
from hubbub.upstreams.mcp.listing import listing
from hubbub.upstreams.mcp.offers import listed
from hubbub.upstreams.servers import Server, ServerChanged
from hubbub.upstreams.upstream import Status as Standing

SOURCE: Final = "hub"
EVERY_S: Final = 60.0
LIST_S: Final = 20.0
SETTLE_S: Final = 0.2
"""Changes come in swarms; after the first, so long is waited for the others."""
STATUSES: Final[Mapping[Standing, Status]] = {
    "connected": "running",
    "connecting": "stopped",
    "disabled": "stopped",
    "failed": "error",
}


async def followed(bus: Bus, poller: Poller) -> None:
    """Have what the hub is connected to known at once, until this is cancelled."""
    changed = anyio.Event()

    def heard(event: ServerChanged) -> None:
        changed.set()

    stop = bus.listen(ServerChanged, heard)
    try:
        while True:
            await changed.wait()
            await anyio.sleep(SETTLE_S)
            changed = anyio.Event()
            await poller.refresh(SOURCE)
    finally:
        stop()


class OwnWorkloads:
    """The MCP servers that clients are configured for. A source of workloads like any other."""

    name = SOURCE

    def __init__(self, database: Database, connections: Connections) -> None:
        self._database = database
        self._connections = connections

    async def snapshot(self) -> WorkloadSnapshot:
        """Which are connected now, and which are not."""
        async with self._database.reading() as tx:
            clients = await store.every(tx, MCP_SERVER)
        servers = {server.client_id: server for server in self._connections.all()}
        refused: list[str] = []
        entries = [self._entry(client, servers.get(client.id), refused) for client in clients]
        return WorkloadSnapshot(
            source=SOURCE,
            workloads=tuple(entry for entry in entries if entry is not None),
            refused=tuple(refused),
        )

    def _entry(
        self, client: Client, server: Server | None, refused: list[str]
    ) -> WorkloadEntry | None:
        try:
            config = configuration.of(client)
        except HubError as error:
            refused.append(f"{client.name}: {error.message}")
            return None
        assert isinstance(config, McpServer)
        if config.workload is not None:
            return None  # its source tells of it
        tools = None
        if server is not None:
            tools, unfit = tools_of(listed(spec) for spec in server.tools)
            refused += [f"{client.name}: {why}" for why in unfit]
        return WorkloadEntry(
            workload_name=client.name,
            name=client.name,
            identity=identity_of(config),
            transport=config.transport,
            status=STATUSES[self._connections.standing(client).status],
            url=config.url,
            description=None if server is None else server.instructions,
            group=config.group,
            tools=tools,
        )


def identity_of(config: McpServer) -> Identity:
    """What a configured server is known by."""
    if config.url is not None:
        return Identity(remote=True, url=config.url)
    return Identity(remote=False, package=package_of(config.command or "", config.args))


async def tools_at(reached: Reached) -> Sequence[Mapping[str, Any]]:
    """The tools of a server that somebody else says is running.

    Raises:
        HubError: it does not tell them.
    """
    config = McpServer(transport=reached.transport, url=reached.url, connect_timeout_s=LIST_S)
    try:
        with anyio.fail_after(LIST_S):
            async with connected(
                reached.name, config, lambda *_: None, Logs(), Known(), None
            ) as session:
                found = await listing(session, "workload", ANYBODY)
    except TimeoutError:
        raise TimedOut(f"{reached.name} did not list its tools in time") from None
    except RpcError as error:
        raise ExecutionFailed(f"{reached.name} refused: {error.message}") from error
    return [listed(tool.spec) for tool in found.tools]
