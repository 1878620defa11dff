"""The tools that answer at once, and those that tell how they come along."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.support.mcpserver.asking import Turn, elicitation, roots, sampling
from tests.support.mcpserver.things import WAV, Json, embedded, image, text

PAUSE_S = 0.05
"""Between one sign of life and the next, so that they are seen to come one by one."""

Use = Callable[[Turn, Json], Awaitable[Json]]
Plain = Callable[[Json], list[Json]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool, and what it does."""

    description: str
    use: Use
    schema: Json = field(default_factory=lambda: {"type": "object", "properties": {}})
    task: bool = False
    """Whether it goes on after its call where the client can follow it."""
    task_only: bool = False

    def listed(self, name: str) -> Json:
        return {"name": name, "description": self.description, "inputSchema": self.schema}


def said(*content: Json, **more: object) -> Json:
    return {"content": list(content), **more}


def answering(description: str, *content: Json, **more: object) -> Tool:
    """A tool that always says the same."""

    async def use(turn: Turn, arguments: Json) -> Json:
        return said(*content, **more)

    return Tool(description=description, use=use)


def schema(*required: str, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


STRING: Json = {"type": "string"}
RICH: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": STRING, "city": STRING},
        }
    },
    "properties": {
        "name": STRING,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": STRING,
        "email": STRING,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def echo(turn: Turn, arguments: Json) -> Json:
    return said(text(json.dumps(arguments)), structuredContent=arguments)


async def greet(turn: Turn, arguments: Json) -> Json:
    return said(text(f"Hello, {arguments.get('name')}!"))


async def failing(turn: Turn, arguments: Json) -> Json:
    return said(text("This tool intentionally returns an error for testing"), isError=True)


async def logging(turn: Turn, arguments: Json) -> Json:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await turn.ctx.session.send_log_message(
            "info", words, related_request_id=turn.ctx.request_id
        )
        await asyncio.sleep(PAUSE_S)
    return said(text("Tool with logging executed successfully"))


async def progressing(turn: Turn, arguments: Json) -> Json:
    for done in (0, 50, 100):
        await turn.ctx.session.report_progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(PAUSE_S)
    return said(text("Tool with progress executed successfully"))


async def waiting(turn: Turn, arguments: Json) -> Json:
    """Long enough to be cancelled, or to outlive whoever asked."""
    await asyncio.sleep(min(float(arguments.get("seconds", 1)), 60))
    return said(text("Waited"))


async def reconnecting(turn: Turn, arguments: Json) -> Json:
    """Ends the stream of its answer, which the client may take up again."""
    if turn.ctx.close_sse_stream is not None:
        await turn.ctx.close_sse_stream()
    await asyncio.sleep(2 * PAUSE_S)
    return said(text("Reconnection test completed"))


async def streaming(turn: Turn, arguments: Json) -> Json:
    await turn.ctx.session.report_progress(1, 2)
    answer = await turn.ask({"name": elicitation("What is your name?", {"name": STRING}, "name")})
    return said(text(json.dumps(answer["name"])))


async def needing(turn: Turn, arguments: Json) -> Json:
    answer = await turn.ask({"sample": sampling("Say something")})
    return said(text(json.dumps(answer["sample"])))


async def unruly(turn: Turn, arguments: Json) -> Json:
    raise MCPError(types.INTERNAL_ERROR, "this job goes wrong in the protocol")


async def computing(turn: Turn, arguments: Json) -> Json:
    await asyncio.sleep(min(float(arguments.get("seconds", 0)), 120))
    return said(text(f"Computed {arguments.get('label', '')}"))


async def failing_later(turn: Turn, arguments: Json) -> Json:
    await asyncio.sleep(PAUSE_S)
    return await failing(turn, arguments)


async def deleting(turn: Turn, arguments: Json) -> Json:
    asked = {"confirm": elicitation("Delete it?", {"confirm": {"type": "boolean"}}, "confirm")}
    answer = await turn.ask(asked)
    return said(text(f"Deleted: {json.dumps(answer['confirm'])}"))


async def fanning(turn: Turn, arguments: Json) -> Json:
    asked = {
        "first": elicitation("The first?", {"value": STRING}, "value"),
        "second": elicitation("The second?", {"value": STRING}, "value"),
    }
    answer = await turn.ask(asked)
    return said(text(json.dumps(answer)))


PLAIN: dict[str, Tool] = {
    "echo": Tool(
        description="Says what it was given",
        use=echo,
        schema={"type": "object", "additionalProperties": True},
    ),
    "wait": Tool(
        description="Waits as long as it is told",
        use=waiting,
        schema=schema(seconds={"type": "number"}),
    ),
    "greet": Tool(description="Greets somebody", use=greet, schema=schema("name", name=STRING)),
    "test_simple_text": answering("A text", text("This is a simple text response for testing.")),
    "test_image_content": answering("A picture", image()),
    "test_audio_content": answering(
        "A sound", {"type": "audio", "data": WAV, "mimeType": "audio/wav"}
    ),
    "test_embedded_resource": answering(
        "A resource", embedded("test://embedded-resource", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": answering(
        "A text, a picture and a resource",
        text("Multiple content types test:"),
        image(),
        embedded(
            "test://mixed-content-resource", '{"test":"data","value":123}', "application/json"
        ),
    ),
    "test_error_handling": Tool(description="Fails", use=failing),
    "test_tool_with_logging": Tool(description="Logs three times", use=logging),
    "test_logging_tool": Tool(description="Logs, where that is wanted", use=logging),
    "test_tool_with_progress": Tool(description="Tells how it comes along", use=progressing),
    "test_reconnection": Tool(description="Ends its stream too early", use=reconnecting),
    "test_streaming_elicitation": Tool(description="Asks after a while", use=streaming),
    "test_missing_capability": Tool(description="Needs a model", use=needing),
    "json_schema_2020_12_tool": Tool(
        description="Has a schema with everything in it", use=echo, schema=RICH
    ),
    "test_mirrored_header": Tool(
        description="Has an argument that stands in a header too",
        use=echo,
        schema=schema(region={"type": "string", "x-mcp-header": "Region"}),
    ),
    "slow_compute": Tool(
        description="Computes for a while",
        use=computing,
        schema=schema(seconds={"type": "number"}, label=STRING),
        task=True,
    ),
    "failing_job": Tool(description="Fails later", use=failing_later, task=True, task_only=True),
    "protocol_error_job": Tool(description="Goes wrong later", use=unruly, task=True),
    "confirm_delete": Tool(description="Asks before it deletes", use=deleting, task=True),
    "multi_input": Tool(description="Asks two things at once", use=fanning, task=True),
}

__all__ = ["PLAIN", "STRING", "Tool", "roots", "said", "schema"]
