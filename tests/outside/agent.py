"""What the conformance suite starts to see the hub as a client: `agent.py URL`.

It has a hub that runs connect to the server of the suite, and then uses that server through the
hub as an agent would.
"""

import asyncio
import json
import os
import sys
import warnings
from uuid import uuid4

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")

HUB, KEY = os.environ["HUBBUB_URL"], os.environ["HUBBUB_KEY"]
SCENARIO = os.environ["MCP_CONFORMANCE_SCENARIO"]
REVISION = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"]
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
CONNECT_S = 25
METADATA = "https://conformance-test.local/client-metadata.json"
AGREED_MAX = 5

ARGUMENTS = {
    "add_numbers": {"a": 5, "b": 3},
    "valid_tool": {"region": "here"},
    "lookup_user": {"id": "somebody"},
}
NOT_CALLED = {"initialize": ["*"], "request-metadata": ["*"], "json-schema-ref-no-deref": ["*"]}


async def main(server: str) -> None:
    name = f"c{uuid4().hex[:12]}"
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        await create(http, name, server)
        try:
            await call(http, "profile/create", name=name, servers=[name])
            await connected(http, name)
            async with Client(
                streamable_http_client(f"{HUB}/mcp/profiles/{name}", http_client=http),
                mode="legacy" if REVISION < "2026" else "auto",
                elicitation_callback=filled_in,
                sampling_callback=said,
                list_roots_callback=rooted,
            ) as client:
                await use(client)
                if (await standing(http, name))["needsAuthorization"]:
                    # What it wants only for some calls.
                    await agree(http, name)
                    await connected(http, name)
                    await use(client)
        finally:
            await call(http, "client/remove", client=name)


async def call(http, operation, **input):
    response = await http.post(f"{HUB}/v1/{operation}", json=input)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def create(http, name, server):
    """Have the hub connect, as whom the suite says."""
    oauth, secrets = {}, {}
    if SCENARIO == "auth/basic-cimd":
        oauth = {"metadataUrl": METADATA}
    if "client_id" in CONTEXT:
        issuer = CONTEXT.get("issuer") or await issuer_of(server)
        secrets = {"OAUTH": CONTEXT["client_secret"]}
        oauth = {
            "clientId": CONTEXT["client_id"],
            "clientSecret": "${secret:OAUTH}",
            "issuer": issuer,
        }
    if SCENARIO.startswith("auth/client-credentials"):
        oauth["grant"] = "client-credentials"
    config = {"transport": "streamable-http", "url": server, "connectTimeoutS": 20}
    if oauth:
        config["oauth"] = oauth
    await call(http, "client/create", name=name, type="mcp-server", config=config, secrets=secrets)


async def issuer_of(server):
    """Where the suite does not say whose client it has registered."""
    url = server.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    async with httpx2.AsyncClient() as http:
        return (await http.get(url)).json()["authorization_servers"][0]


async def standing(http, name):
    (found,) = (await call(http, "client/status", id=name))["items"]
    return found


async def connected(http, name):
    """Wait until the hub is, having it let in where that is asked for."""
    agreed = 0
    async with asyncio.timeout(CONNECT_S):
        while (found := await standing(http, name))["status"] != "connected":
            if found["status"] == "failed":
                assert found["needsAuthorization"] and agreed < AGREED_MAX, found
                await agree(http, name)
                agreed += 1
            await asyncio.sleep(0.05)


async def agree(http, name):
    """What a person does with a browser, who agrees to everything."""
    begun = await call(http, "client/authorize", id=name)
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        response = await browser.get(begun["url"])
    assert response.status_code == 200, response.text


async def use(client):
    """Everything that is there, once, or what the suite says to call."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for asked in CONTEXT.get("toolCalls", ()):
        await client.call_tool(asked["name"], asked["arguments"])
    if SCENARIO == "json-schema-2020-12-preservation":
        schema = tools["json_schema_2020_12_tool"].input_schema
        await client.call_tool("json_schema_echo", {"schema": schema})
    elif SCENARIO not in NOT_CALLED and "toolCalls" not in CONTEXT:
        for name in tools:
            await client.call_tool(name, ARGUMENTS.get(name, {}))
    await look_around(client)


async def look_around(client):
    """At what a server has besides tools, if it has any."""
    capabilities = client.server_capabilities
    if capabilities.resources is not None:
        for resource in (await client.list_resources()).resources[:1]:
            await client.read_resource(resource.uri)
    if capabilities.prompts is not None:
        for prompt in (await client.list_prompts()).prompts[:1]:
            await client.get_prompt(prompt.name)


async def filled_in(context, params):
    """As a user answers who likes what the form proposes."""
    properties = params.requested_schema["properties"]
    content = {name: _proposed(each) for name, each in properties.items()}
    return types.ElicitResult(action="accept", content=content)


def _proposed(field):
    plain = {"boolean": True, "integer": 1, "number": 1.5, "array": []}
    return field.get("default", plain.get(field.get("type"), "text"))


async def said(context, params):
    content = types.TextContent(type="text", text="said")
    return types.CreateMessageResult(role="assistant", model="none", content=content)


async def rooted(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///here", name="here")])


try:
    asyncio.run(main(sys.argv[1]))
except* (MCPError, AssertionError, TimeoutError) as errors:
    sys.exit("\n".join(map(str, errors.exceptions)))
