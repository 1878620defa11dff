"""Registries as others write them."""

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.mcpservers.formats import next_cursor, parse
from hubbub.mcpservers.texts import title_of

OFFICIAL_META = "io.modelcontextprotocol.registry/official"
PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"


def known(snapshot):
    return [
        (each.name, each.identity.text, each.transport, [tool.name for tool in each.tools or ()])
        for each in snapshot.servers
    ]


def official(name, *, status="active", latest=True, **more):
    return {
        "server": {"name": name, "description": f"{name} does it", "version": "1.0.0", **more},
        "_meta": {OFFICIAL_META: {"status": status, "isLatest": latest}},
    }


NPM = {"registryType": "npm", "identifier": "@a/b", "transport": {"type": "stdio"}}


def test_an_answer_of_the_official_registry():
    document = {
        "servers": [
            official("io.a/both", packages=[NPM], remotes=[{"type": "sse", "url": "https://a/s"}]),
            official("io.a/old", latest=False, packages=[NPM]),
            official("io.a/gone", status="deleted", packages=[NPM]),
            official("io.a/empty"),
        ],
        "metadata": {"nextCursor": "more", "count": 4},
    }
    snapshot = parse(document, "official")
    assert known(snapshot) == [
        ("io.a/both", "https://a/s", "sse", []),
        ("io.a/both", "npm:@a/b", "stdio", []),
    ]
    assert snapshot.gone == ("io.a/gone",)
    assert snapshot.refused == ("io.a/empty: expected a package or a remote",)
    assert next_cursor(document) == "more"
    assert next_cursor({"servers": [], "metadata": {"nextCursor": ""}}) is None


def test_one_package_over_two_transports_is_one_server():
    http = {**NPM, "transport": {"type": "streamable-http", "url": "http://localhost:3000"}}
    snapshot = parse({"servers": [official("io.a/b", packages=[NPM, http])]}, "official")
    assert known(snapshot) == [("io.a/b", "npm:@a/b", "stdio", [])]


def test_what_toolhive_publishes_in_the_official_form():
    image = "ghcr.io/a/b:1.0"
    server = {
        "name": "io.github.stacklok/b",
        "title": "B",
        "description": "Does it",
        "version": "1.0.0",
        "packages": [{"registryType": "oci", "identifier": image, "transport": {"type": "stdio"}}],
        "_meta": {
            PUBLISHER: {
                "io.github.stacklok": {
                    image: {
                        "tags": ["a"],
                        "overview": "Long",
                        "tools": ["one", "two"],
                        "tool_definitions": [{"name": "one", "description": "First"}],
                    }
                }
            }
        },
    }
    (entry,) = parse({"data": {"servers": [server]}}, "toolhive").servers
    assert [tool.details for tool in entry.tools] == [
        {"name": "one", "description": "First"},
        {"name": "two"},
    ]
    assert entry.definition["_meta"] == {
        PUBLISHER: {"io.github.stacklok": {image: {"tags": ["a"], "tools": ["one", "two"]}}}
    }


def test_a_registry_of_toolhive():
    document = {
        "version": "1.0.0",
        "last_updated": "2026-04-13T00:55:25Z",
        "servers": {
            "arxiv": {
                "title": "arXiv",
                "description": "Papers",
                "transport": "stdio",
                "image": "ghcr.io/stacklok/dockyard/uvx/arxiv-mcp-server:0.3.2",
                "args": ["--storage-path", "/papers"],
                "repository_url": "https://github.com/a/b",
                "tools": ["read_paper"],
                "tool_definitions": [{"name": "read_paper", "inputSchema": {"type": "object"}}],
                "env_vars": [{"name": "KEY", "required": True, "secret": True}],
            }
        },
        "remote_servers": {
            "far": {
                "url": "https://api.example.com/mcp",
                "transport": "sse",
                "tools": ["get"],
                "headers": [{"name": "Authorization", "required": True, "secret": True}],
            }
        },
        "groups": [{"name": "data", "servers": {"in": {"image": "a/b", "transport": "stdio"}}}],
    }
    snapshot = parse(document, "toolhive")
    image = "ghcr.io/stacklok/dockyard/uvx/arxiv-mcp-server:0.3.2"
    assert known(snapshot) == [
        ("arxiv", image, "stdio", ["read_paper"]),
        ("far", "https://api.example.com/mcp", "sse", ["get"]),
        ("in", "a/b", "stdio", []),
    ]
    assert [each.group for each in snapshot.servers] == ["default", "default", "data"]
    (package,) = snapshot.servers[0].definition["packages"]
    assert package["environmentVariables"] == [
        {"name": "KEY", "description": "", "isRequired": True, "isSecret": True}
    ]
    assert snapshot.servers[0].definition["version"] == "0.3.2"


def test_a_catalogue_of_docker():
    document = {
        "version": 2,
        "name": "docker-mcp",
        "registry": {
            "affine": {
                "title": "AFFiNE",
                "type": "server",
                "image": "emmabyteeng/affine-mcp",
                "secrets": [{"name": "affine.password", "env": "AFFINE_PASSWORD"}],
                "env": [{"name": "AFFINE_EMAIL", "value": "{{affine.email}}"}],
                "tools": [
                    {
                        "name": "get_doc",
                        "description": "Get it",
                        "arguments": [
                            {"name": "docId", "type": "string", "desc": "Which"},
                            {"name": "deep", "type": "boolean", "desc": "How", "optional": True},
                        ],
                    },
                    {"name": "list"},
                ],
            },
            "notion": {
                "type": "remote",
                "remote": {"url": "https://mcp.notion.com/mcp", "transport_type": "streaming"},
                "tools": None,
            },
            "git": {"sseEndpoint": "https://gitmcp.io/moby/moby"},
            "poci": {"type": "poci", "tools": [{"name": "curl"}]},
            "broken": None,
        },
    }
    snapshot = parse(document, "docker")
    assert known(snapshot) == [
        ("affine", "emmabyteeng/affine-mcp", "stdio", ["get_doc", "list"]),
        ("notion", "https://mcp.notion.com/mcp", "streamable-http", []),
        ("git", "https://gitmcp.io/moby/moby", "sse", []),
    ]
    assert snapshot.servers[0].tools[0].details["inputSchema"] == {
        "type": "object",
        "properties": {
            "docId": {"type": "string", "description": "Which"},
            "deep": {"type": "boolean", "description": "How"},
        },
        "required": ["docId"],
    }
    assert snapshot.refused == (
        "poci: expected a package or a remote",
        "broken: expected an object",
    )


@pytest.mark.parametrize("key", ["mcpServers", "servers"])
def test_a_clients_own_file_and_what_is_set_in_it_stays_there(key):
    document = {
        key: {
            "memory": {
                "command": "npx",
                "args": ["-y", "@modelcontextprotocol/server-memory"],
                "env": {"TOKEN": "very-secret"},
            },
            "far": {
                "type": "http",
                "url": "https://a/mcp",
                "headers": {"Authorization": "Bearer very-secret"},
            },
            "image": {"command": "docker", "args": ["run", "-i", "mcp/fetch:1"]},
        }
    }
    snapshot = parse(document, "file")
    assert known(snapshot) == [
        ("memory", "npm:@modelcontextprotocol/server-memory", "stdio", []),
        ("far", "https://a/mcp", "streamable-http", []),
        ("image", "mcp/fetch:1", "stdio", []),
    ]
    assert "very-secret" not in repr(snapshot)
    assert [
        each["name"]
        for each in snapshot.servers[0].definition["packages"][0]["environmentVariables"]
    ] == ["TOKEN"]


def test_one_bad_entry_costs_one_entry():
    odd = [None, 3, {}, {"name": "x" * 600, "packages": [NPM]}]
    odd.append({"name": "nul\x00", "packages": [NPM]})
    odd.append({"name": "io.a/b", "remotes": [{"type": "carrier-pigeon", "url": "https://a"}]})
    snapshot = parse([*odd, {"name": "io.a/good", "packages": [NPM]}], "file")
    assert [each.name for each in snapshot.servers] == ["io.a/good"]
    assert len(snapshot.refused) == len(odd)


@pytest.mark.parametrize("document", [None, 3, "x", {}, {"a": 1}, {"servers": 3}])
def test_what_is_no_registry_says_so(document):
    with pytest.raises(Invalid):
        parse(document, "file")


def test_a_title_that_is_none():
    assert title_of(None) == ""
