"""An agent's way to a tool: the official MCP client, and a sentence."""

import json
from importlib import import_module
from typing import Any, Final

PARTS: Final = ("mcp", "mcp_server_time", "mcp_server_git")
"""What comes with the extra `demo`."""


async def answered(url: str, key: str, sentence: str, arguments: dict[str, str]) -> tuple[str, Any]:
    """Find a tool by what it does, and call it; its name, and what it answers."""
    client = import_module("mcp.client").Client
    transport = import_module("mcp.client.streamable_http").streamable_http_client
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        import_module("httpx2").AsyncClient(headers=headers, timeout=30) as http,
        client(transport(f"{url}/mcp", http_client=http)) as agent,
    ):
        found = await agent.call_tool("find_tool", {"queries": sentence, "limit": 1})
        (tool,) = found.structured_content["results"][0]["tools"]
        called = await agent.call_tool("call_tool", {"name": tool["name"], "arguments": arguments})
    return tool["name"], called.structured_content or json.loads(called.content[0].text)
