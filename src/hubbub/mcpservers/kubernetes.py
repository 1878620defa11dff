"""Workloads of a Kubernetes cluster: services that a label selector chooses.

The official client comes with the extra `kubernetes`. What a service cannot say of itself it says
in annotations under `mcp.hubbub.dev/`: path, transport, package, url, description and group.
"""

import asyncio
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hubbub.kernel.errors import HubError, Invalid, Unavailable
from hubbub.mcpservers.matching import Identity
from hubbub.mcpservers.model import Status, Transport
from hubbub.mcpservers.snapshots import WorkloadEntry, WorkloadSnapshot, fit
from hubbub.mcpservers.sources import Lister, Reached, listed

PREFIX: Final = "mcp.hubbub.dev/"
SELECTOR: Final = "mcp.hubbub.dev/server=true"
PAGE: Final = 500
PAGES_MAX: Final = 40
ANSWER_S: Final = 30
AT_ONCE: Final = 8
_TRANSPORTS: Final[dict[str, Transport]] = {
    "sse": "sse", "streamable-http": "streamable-http", "": "streamable-http",
}  # fmt: skip

Json = Mapping[str, Any]


class Kubernetes:
    """A cluster, as the pod that the hub runs in or the user's own configuration reaches it."""

    def __init__(
        self,
        name: str,
        selector: str = SELECTOR,
        namespace: str | None = None,
        context: str | None = None,
        tools_of: Lister | None = None,
    ) -> None:
        """
        Args:
            namespace: all of them by default.
            context: of the user's configuration; by default the pod's own, or the current one.
        """
        self.name = name
        self._selector = selector
        self._namespace = namespace
        self._context = context
        self._tools_of = tools_of

    async def snapshot(self) -> WorkloadSnapshot:
        """The services that are chosen, and whether anybody answers behind them."""
        services, pods = await asyncio.to_thread(self._listed)
        entries, refused, unclear = entries_of(services, pods)
        turns = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(self._with_tools(turns, each, refused) for each in entries))
        return WorkloadSnapshot(
            source=self.name,
            workloads=tuple(found),
            unclear=frozenset(unclear),
            refused=tuple(refused),
        )

    def _listed(self) -> tuple[list[Json], list[Json]]:
        """What the cluster says, in a thread: its client waits by blocking."""
        try:
            kubernetes = importlib.import_module("kubernetes")
        except ImportError as error:
            raise Unavailable(
                "Kubernetes needs the extra `kubernetes`: pip install 'hubbub[kubernetes]'"
            ) from error
        errors = (
            kubernetes.client.exceptions.ApiException,
            kubernetes.config.ConfigException,
            importlib.import_module("urllib3").exceptions.HTTPError,
            OSError,
        )
        try:
            with self._client(kubernetes) as client:
                core = kubernetes.client.CoreV1Api(client)
                services = self._pages(client, core, "service", self._selector)
                # A service chooses its pods by their labels, which need not be its own.
                pods = self._pages(client, core, "pod", None) if services else []
        except errors as error:
            reason = getattr(error, "reason", None) or str(error)
            raise Unavailable(f"the cluster cannot be asked: {str(reason)[:200]}") from error
        return services, pods

    def _client(self, kubernetes: Any) -> Any:
        configuration = kubernetes.client.Configuration()
        if self._context is None:
            try:
                kubernetes.config.load_incluster_config(client_configuration=configuration)
                return kubernetes.client.ApiClient(configuration)
            except kubernetes.config.ConfigException:
                pass  # it does not run in a pod
        kubernetes.config.load_kube_config(
            context=self._context, client_configuration=configuration
        )
        return kubernetes.client.ApiClient(configuration)

    def _pages(self, client: Any, core: Any, kind: str, selector: str | None) -> list[Json]:
        listing = getattr(
            core,
            f"list_namespaced_{kind}" if self._namespace else f"list_{kind}_for_all_namespaces",
        )
        where = (self._namespace,) if self._namespace else ()
        chosen = {"label_selector": selector} if selector else {}
        found: list[Json] = []
        following: str | None = None
        for _ in range(PAGES_MAX):
            more = {"_continue": following} if following else {}
            said = listing(*where, limit=PAGE, _request_timeout=ANSWER_S, **chosen, **more)
            found += [client.sanitize_for_serialization(each) for each in said.items]
            following = said.metadata._continue if said.metadata else None
            if not following:
                return found
        raise Invalid(f"there are too many of kind {kind}", maximum=PAGE * PAGES_MAX)

    async def _with_tools(
        self, turns: asyncio.Semaphore, entry: WorkloadEntry, refused: list[str]
    ) -> WorkloadEntry:
        reached = None
        if entry.status == "running" and entry.url is not None:
            reached = Reached(name=entry.workload_name, url=entry.url, transport=entry.transport)
        async with turns:
            return replace(entry, tools=await listed(self._tools_of, reached, refused))


def entries_of(
    services: Iterable[Json], pods: Iterable[Json]
) -> tuple[list[WorkloadEntry], list[str], list[str]]:
    """The workloads, what is wrong with those that are left out, and the names of these."""
    by_namespace: dict[str, list[Json]] = {}
    for pod in pods:
        by_namespace.setdefault(pod["metadata"]["namespace"], []).append(pod)
    entries: list[WorkloadEntry] = []
    refused: list[str] = []
    unclear: list[str] = []
    for service in services:
        metadata = service["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        try:
            entry = _entry(name, service, by_namespace.get(metadata["namespace"], []))
            fit(entry)
            entries.append(entry)
        except HubError as error:
            refused.append(f"{name}: {error.message}")
            unclear.append(name)
    return entries, refused, unclear


def _entry(name: str, service: Json, pods: Iterable[Json]) -> WorkloadEntry:
    annotations: Json = service["metadata"].get("annotations") or {}
    spec: Json = service.get("spec") or {}
    selector: Json = spec.get("selector") or {}
    behind = [pod for pod in pods if selector and _chosen(pod, selector)]
    transport = _TRANSPORTS.get(annotations.get(f"{PREFIX}transport", ""))
    if transport is None:
        raise _unfit("transport", "sse or streamable-http")
    url = annotations.get(f"{PREFIX}url")
    package = annotations.get(f"{PREFIX}package") or _image(behind)
    if url is None and package is None:
        raise _unfit("package", "a pod, or an annotation that names the package")
    identity = Identity(remote=True, url=url) if url else Identity(remote=False, package=package)
    return WorkloadEntry(
        workload_name=name,
        name=service["metadata"]["name"],
        identity=identity,
        transport=transport,
        # Who is elsewhere has nobody here to ask.
        status=_status(behind) if behind or url is None else "running",
        url=url or _address(service, annotations),
        description=annotations.get(f"{PREFIX}description"),
        group=annotations.get(f"{PREFIX}group") or "default",
    )


def _address(service: Json, annotations: Json) -> str:
    """Where the cluster's own reach the service."""
    ports = (service.get("spec") or {}).get("ports") or []
    named = [port for port in ports if port.get("name") in ("mcp", "http")] or ports
    if not named:
        raise _unfit("ports", "a port")
    metadata = service["metadata"]
    path = annotations.get(f"{PREFIX}path") or "/mcp"
    host = f"{metadata['name']}.{metadata['namespace']}.svc"
    return f"http://{host}:{named[0]['port']}/{path.lstrip('/')}"


def _chosen(pod: Json, selector: Json) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _image(pods: list[Json]) -> str | None:
    """What the first container of the first pod is made from."""
    for pod in sorted(pods, key=lambda each: str(each["metadata"].get("name"))):
        for each in pod["spec"].get("containers") or []:
            image = each.get("image")
            if isinstance(image, str):
                return image
    return None


def _status(pods: list[Json]) -> Status:
    """Running if anybody is ready; an error if all fail; stopped if there is nobody."""
    if any(_ready(pod) for pod in pods):
        return "running"
    return "error" if any(_failing(pod) for pod in pods) else "stopped"


def _ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _failing(pod: Json) -> bool:
    status = pod.get("status") or {}
    waiting = [
        ((each.get("state") or {}).get("waiting") or {}).get("reason")
        for each in status.get("containerStatuses") or []
    ]
    reasons = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")
    return status.get("phase") == "Failed" or any(each in reasons for each in waiting)


def _unfit(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])
