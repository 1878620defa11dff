"""Services of a cluster as workloads, from what its API says."""

import json

import pytest

from hubbub.kernel.errors import Unavailable
from hubbub.mcpservers.kubernetes import Kubernetes, entries_of


def service(name, selector=None, ports=({"port": 8080},), **annotations):
    return {
        "metadata": {
            "name": name,
            "namespace": "tools",
            "annotations": {f"mcp.hubbub.dev/{key}": each for key, each in annotations.items()},
        },
        "spec": {"selector": selector or {"app": name}, "ports": list(ports)},
    }


def pod(app, image="ghcr.io/x/y:1", ready=True, waiting=None, phase="Running"):
    return {
        "metadata": {"name": f"{app}-0", "namespace": "tools", "labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "image": image}]},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"state": {"waiting": {"reason": waiting}}}] if waiting else [],
        },
    }


def known(entries):
    return {
        each.workload_name: (each.identity.text, each.url, each.transport, each.status, each.group)
        for each in entries
    }


def test_services_are_workloads_and_their_pods_say_how_they_are():
    services = [
        service("plain"),
        service("sse", transport="sse", path="/events", group="mine"),
        service("far", url="https://real/mcp"),
        service("two", ports=({"name": "metrics", "port": 9}, {"name": "mcp", "port": 80})),
        service("off", package="npm:off"),
        service("sick"),
        service("odd", transport="pigeon"),
        service("nobody"),
    ]
    pods = [
        pod("plain"),
        pod("sse"),
        pod("two"),
        pod("sick", ready=False, waiting="CrashLoopBackOff"),
        pod("odd"),
    ]
    entries, refused, unclear = entries_of(services, pods)
    image, at = "ghcr.io/x/y:1", "tools.svc"
    http = "streamable-http"
    assert known(entries) == {
        "tools/plain": (image, f"http://plain.{at}:8080/mcp", http, "running", "default"),
        "tools/sse": (image, f"http://sse.{at}:8080/events", "sse", "running", "mine"),
        "tools/far": ("https://real/mcp", "https://real/mcp", http, "running", "default"),
        "tools/two": (image, f"http://two.{at}:80/mcp", http, "running", "default"),
        "tools/off": ("npm:off", f"http://off.{at}:8080/mcp", http, "stopped", "default"),
        "tools/sick": (image, f"http://sick.{at}:8080/mcp", http, "error", "default"),
    }
    assert unclear == ["tools/odd", "tools/nobody"]
    assert len(refused) == 2


@pytest.fixture
def cluster(far, tmp_path, monkeypatch):
    """A cluster's API, and the configuration that leads there."""
    pytest.importorskip("kubernetes", reason="the extra `kubernetes` is not installed")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": far.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return far


async def test_a_cluster_is_asked_through_the_official_client(cluster):
    def services(request):
        assert request.query["labelSelector"] == "mcp.hubbub.dev/server=true"
        if request.query.get("continue"):
            return {"items": [service("two")], "metadata": {}}
        return {"items": [service("one")], "metadata": {"continue": "more"}}

    cluster.answers["/api/v1/services"] = services
    cluster.answers["/api/v1/pods"] = {"items": [pod("one"), pod("two")], "metadata": {}}

    async def tools_of(reached):
        return [{"name": f"of-{reached.name}"}]

    snapshot = await Kubernetes("k8s", tools_of=tools_of).snapshot()
    assert {
        each.workload_name: [tool.name for tool in each.tools] for each in snapshot.workloads
    } == {"tools/one": ["of-tools/one"], "tools/two": ["of-tools/two"]}


async def test_a_cluster_that_refuses_says_so(cluster):
    with pytest.raises(Unavailable):
        await Kubernetes("k8s", namespace="tools").snapshot()
