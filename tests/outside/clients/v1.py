"""The Python SDK of the older era, in an environment of its own: v1.py URL KEY"""

import asyncio
import json
import sys

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client


async def elicited(context, params):
    content = {name: f"my {name}" for name in params.requestedSchema["properties"]}
    return types.ElicitResult(action="accept", content=content)


async def sampled(context, params):
    asked = params.messages[0].content
    heard = types.TextContent(type="text", text=f"heard: {asked.text}")
    return types.CreateMessageResult(role="assistant", model="none", content=heard)


async def rooted(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///here", name="here")])


async def steps(session):
    names, cursor, progress = [], None, []
    while True:
        page = await session.list_tools(cursor)
        names += [tool.name for tool in page.tools]
        if (cursor := page.nextCursor) is None:
            break

    async def came(progressed, total, message):
        progress.append(progressed)

    async def said(name, arguments=None, **options):
        result = await session.call_tool(name, arguments or {}, **options)
        return result.content[0].text

    two = {"arg1": "one", "arg2": "two"}
    read = await session.read_resource("test://static-text")
    binary = await session.read_resource("test://static-binary")
    prompt = await session.get_prompt("test_prompt_with_arguments", two)
    reference = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    completed = await session.complete(reference, {"name": "arg1", "value": "par"})
    return {
        "tools": {"test_simple_text", "greet"} <= set(names),
        "called": await said("greet", {"name": "hub"}),
        "failed": (await session.call_tool("test_error_handling", {})).isError,
        "progressed": await said("test_tool_with_progress", progress_callback=came),
        "elicited": await said("test_elicitation", {"message": "Who?"}),
        "sampled": await said("test_sampling", {"prompt": "Well?"}),
        "rooted": await said("test_input_required_result_list_roots"),
        "rounds": await said("test_input_required_result_multi_round"),
        "read": read.contents[0].text,
        "binary": binary.contents[0].mimeType == "image/png",
        "prompt": prompt.messages[0].content.text,
        "completed": completed.completion.values,
        "progress": progress,
    }


async def main(url, key):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        streamablehttp_client(url, headers=headers) as (reading, writing, _),
        ClientSession(
            reading,
            writing,
            elicitation_callback=elicited,
            sampling_callback=sampled,
            list_roots_callback=rooted,
        ) as session,
    ):
        greeting = await session.initialize()
        print(json.dumps({"version": greeting.protocolVersion, **await steps(session)}))


asyncio.run(main(*sys.argv[1:3]))
