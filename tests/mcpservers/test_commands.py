"""What a command runs, and what is taken for the same."""

import pytest

from hubbub.mcpservers.commands import package_of
from hubbub.mcpservers.matching import exact, tolerant

from .said import container, remote


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("npx -y @modelcontextprotocol/server-memory", "npm:@modelcontextprotocol/server-memory"),
        ("npx --yes @scope/name@1.2.3 /data", "npm:@scope/name"),
        ("/usr/bin/npx name", "npm:name"),
        ("npx.cmd -y name", "npm:name"),
        ("pnpm dlx name", "npm:name"),
        ("npm exec name", "npm:name"),
        ("uvx mcp-server-git --repository .", "pypi:mcp-server-git"),
        ("uvx mcp-server-time==2.0", "pypi:mcp-server-time"),
        ("uvx --from git+https://x name[extra]", "pypi:name"),
        ("uv tool run name", "pypi:name"),
        ("pipx run name", "pypi:name"),
        ("dnx Name.Server@1.0 --yes", "nuget:Name.Server"),
        ("docker run -i --rm -e TOKEN=secret mcp/fetch:1.0 --flag", "mcp/fetch:1.0"),
        ("podman run --name x --network=none mcp/fetch", "mcp/fetch"),
        ("node build/index.js --token secret", "node build/index.js"),
        ("uv run server.py", "uv run"),
        ("server", "server"),
        ("docker ps", "docker ps"),
    ],
)
def test_what_a_command_runs(line, package):
    command, *args = line.split()
    assert package_of(command, args) == package


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (container("mcp/fetch:1.0"), container("mcp/fetch:1.1")),
        (container("mcp/fetch"), container("docker.io/mcp/fetch:latest")),
        (container("Mcp/Fetch"), container("mcp/fetch@sha256:" + "0" * 64)),
        (container("ghcr.io:443/a/b:1"), container("ghcr.io:443/a/b")),
        (container("docker://python"), container("library/python:3")),
        (container("npm:@scope/name@1"), container("npm:@scope/name")),
        (remote("https://Mcp.Notion.com/mcp"), remote("https://mcp.notion.com:443/mcp/")),
        (remote("http://a:80"), remote("HTTP://A/")),
        (remote("https://[::1]:443/x"), remote("https://[::1]/x")),
    ],
)
def test_what_is_alike_only_where_that_is_asked_for(one, other):
    assert tolerant(one) == tolerant(other)
    assert exact(one) != exact(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (container("mcp/fetch"), container("mcp/fetcher")),
        (container("ghcr.io/a/b"), container("quay.io/a/b")),
        (container("npm:name"), container("pypi:name")),
        (remote("https://a/mcp"), remote("https://a/MCP")),
        (remote("https://a/mcp"), remote("http://a/mcp")),
        (remote("https://a:8443/mcp"), remote("https://a/mcp")),
        (remote("https://a/mcp?tenant=1"), remote("https://a/mcp?tenant=2")),
        (remote("https://one@a/mcp"), remote("https://two@a/mcp")),
    ],
)
def test_what_is_never_alike(one, other):
    assert tolerant(one) != tolerant(other)
