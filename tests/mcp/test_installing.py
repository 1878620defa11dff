"""Servers that agents look for, and have installed."""

import pytest
from mcp.types import ElicitResult

from hubbub.interfaces.mcp.recipes import client_name, recipe_of
from hubbub.kernel.errors import Conflict, Invalid

pytestmark = pytest.mark.slow

WEATHER = {
    "name": "io.github.acme/weather",
    "definition": {
        "packages": [
            {
                "registryType": "npm",
                "identifier": "@acme/weather",
                "version": "1.2.0",
                "environmentVariables": [
                    {"name": "REGION", "isRequired": True, "description": "Where"},
                    {"name": "UNITS", "default": "metric"},
                    {"name": "API_KEY", "isRequired": True, "isSecret": True},
                ],
                "packageArguments": [
                    {"type": "named", "name": "--port", "value": "0"},
                    {"type": "positional", "valueHint": "folder", "isRequired": True},
                ],
            }
        ]
    },
}
REMOTE = {
    "name": "acme/remote",
    "definition": {
        "remotes": [
            {
                "type": "streamable-http",
                "url": "https://{tenant}.example.org/mcp",
                "variables": {"tenant": {"isRequired": True}},
                "headers": [
                    {
                        "name": "Authorization",
                        "value": "Bearer {token}",
                        "variables": {"token": {"isRequired": True, "isSecret": True}},
                    }
                ],
            }
        ]
    },
}


def test_a_package_is_run_with_what_it_must_be_told():
    recipe = recipe_of(WEATHER)
    assert [each.name for each in recipe.missing({})] == ["REGION", "folder"]
    assert recipe.secrets == ["API_KEY"]
    assert recipe.made({"REGION": "eu", "folder": "/srv"}) == {
        "transport": "stdio",
        "command": "npx",
        "args": ["-y", "@acme/weather@1.2.0", "--port", "0", "/srv"],
        "env": {"REGION": "eu", "UNITS": "metric", "API_KEY": "${secret:API_KEY}"},
    }


def test_a_remote_is_dialled_with_what_it_must_be_told():
    recipe = recipe_of(REMOTE)
    assert recipe.made({"tenant": "acme"}) == {
        "transport": "streamable-http",
        "url": "https://acme.example.org/mcp",
        "headers": {"Authorization": "Bearer ${secret:TOKEN}"},
    }


@pytest.mark.parametrize("values", [{"OTHER": "x"}, {"API_KEY": "hunter2"}])
def test_what_is_no_setting_and_what_is_a_secret_is_not_taken(values):
    with pytest.raises(Invalid):
        recipe_of(WEATHER).made(values)


def test_what_nobody_knows_to_install_is_refused():
    with pytest.raises(Conflict):
        recipe_of({"name": "x", "definition": {"packages": [{"registryType": "mcpb"}]}})


@pytest.mark.parametrize(
    ("server", "name"),
    [("io.github.acme/weather", "weather"), ("acme/7zip!", "mcp-7zip"), ("plain", "plain")],
)
def test_a_client_is_named_after_its_server(server, name):
    assert client_name(server) == name


@pytest.fixture
async def known(hub):
    """The id of a server that can be had."""
    call = hub.door()
    made = await call(
        "registry.add",
        name="acme/weather",
        url="http://127.0.0.1:9/mcp",
        description="Says how the weather will be",
    )
    return made["id"]


@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_a_server_is_installed_if_the_user_agrees(hub, agent, known, action):
    asked = []

    async def elicit(context, params):
        asked.append(params.message)
        return ElicitResult(action=action, content={} if action == "accept" else None)

    async with agent(elicitation_callback=elicit) as client:
        found = await client.call_tool("search_registry", {"query": "how is the weather"})
        (server,) = found.structured_content["servers"]
        answer = await client.call_tool("install_server", {"server": server["server"]})
    clients = [each["name"] for each in (await hub.door()("client.list"))["items"]]
    agreed = action == "accept"
    assert server["server"] == known
    assert asked == ["Install acme/weather as weather? The hub will use: http://127.0.0.1:9/mcp"]
    assert answer.structured_content["installed"] is agreed
    assert clients == (["weather"] if agreed else [])


async def test_who_may_not_install_is_not_shown_how(hub, agent, known):
    key = await hub.key_with("registry:read")
    async with agent(key=key) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(Exception) as caught:
            await client.call_tool("install_server", {"server": known})
    assert "search_registry" in names and "install_server" not in names
    assert caught.value.error.code == -32602
