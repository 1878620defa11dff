"""What sources say, in few words."""

from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.snapshots import (
    RegistryEntry,
    RegistrySnapshot,
    Tool,
    WorkloadEntry,
    WorkloadSnapshot,
)


def tool(name, description="Does it.", **more):
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return Tool.of({"name": name, "description": description, "inputSchema": schema, **more})


def remote(url):
    return Identity(remote=True, url=url)


def container(package):
    return Identity(remote=False, package=package)


def entry(name, identity, *tools, **more):
    return RegistryEntry(
        **{
            "name": name,
            "identity": identity,
            "transport": "streamable-http",
            "description": f"{name} as the registry says",
            "tools": tools,
            **more,
        }
    )


def registry(*servers, source="file", **more):
    return RegistrySnapshot(source=source, servers=servers, **more)


def workload(name, identity, *tools, **more):
    return WorkloadEntry(
        **{
            "workload_name": name,
            "name": name,
            "identity": identity,
            "transport": "streamable-http",
            "status": "running",
            "tools": tools,
            **more,
        }
    )


def running(*workloads, source="toolhive", **more):
    return WorkloadSnapshot(source=source, workloads=workloads, **more)
