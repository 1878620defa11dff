"""The Python SDK of both eras: v2.py URL KEY legacy|auto"""

import asyncio
import json
import sys
import warnings

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

# Sampling and roots are deprecated, and asked for all the same.
warnings.simplefilter("ignore")


async def elicited(context, params):
    content = {name: f"my {name}" for name in params.requested_schema["properties"]}
    return types.ElicitResult(action="accept", content=content)


async def sampled(context, params):
    asked = params.messages[0].content
    heard = types.TextContent(type="text", text=f"heard: {asked.text}")
    return types.CreateMessageResult(role="assistant", model="none", content=heard)


async def rooted(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///here", name="here")])


async def steps(client):
    names, cursor, progress = [], None, []
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        if (cursor := page.next_cursor) is None:
            break

    async def came(progressed, total, message):
        progress.append(progressed)

    async def said(name, arguments=None, **options):
        result = await client.call_tool(name, arguments or {}, **options)
        return result.content[0].text

    two = {"arg1": "one", "arg2": "two"}
    read = await client.read_resource("test://static-text")
    binary = await client.read_resource("test://static-binary")
    prompt = await client.get_prompt("test_prompt_with_arguments", two)
    reference = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    completed = await client.complete(reference, {"name": "arg1", "value": "par"})
    return {
        "tools": {"test_simple_text", "greet"} <= set(names),
        "called": await said("greet", {"name": "hub"}),
        "failed": (await client.call_tool("test_error_handling", {})).is_error,
        "progressed": await said("test_tool_with_progress", progress_callback=came),
        "elicited": await said("test_elicitation", {"message": "Who?"}),
        "sampled": await said("test_sampling", {"prompt": "Well?"}),
        "rooted": await said("test_input_required_result_list_roots"),
        "rounds": await said("test_input_required_result_multi_round"),
        "read": read.contents[0].text,
        "binary": binary.contents[0].mime_type == "image/png",
        "prompt": prompt.messages[0].content.text,
        "completed": completed.completion.values,
        "progress": progress,
    }


async def main(url, key, mode):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            elicitation_callback=elicited,
            sampling_callback=sampled,
            list_roots_callback=rooted,
        ) as client,
    ):
        print(json.dumps({"version": client.protocol_version, **await steps(client)}))


asyncio.run(main(*sys.argv[1:4]))
