"""What happens to what is known of MCP servers."""

from dataclasses import dataclass

from hubbub.mcpservers.model import RegistryServer, Side, StoredTool, WorkloadWithRegistry


@dataclass(frozen=True, kw_only=True)
class RegistryServersPut:
    """Servers that can be had were added, or are others than before."""

    servers: tuple[RegistryServer, ...]


@dataclass(frozen=True, kw_only=True)
class WorkloadsPut:
    """Servers that run were added, or are others than before, in themselves or by what they
    inherit."""

    workloads: tuple[WorkloadWithRegistry, ...]


@dataclass(frozen=True, kw_only=True)
class ToolsPut:
    """Tools were added, or are others than before. Their server was told of."""

    side: Side
    tools: tuple[StoredTool, ...]


@dataclass(frozen=True, kw_only=True)
class ToolsRemoved:
    """Tools are gone."""

    side: Side
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ServersRemoved:
    """Servers are gone, and their tools with them."""

    side: Side
    ids: tuple[str, ...]


Change = RegistryServersPut | WorkloadsPut | ToolsPut | ToolsRemoved | ServersRemoved
