"""From what an MCP server lists to operations of the hub. No I/O.

A tool is an operation in the namespace of its client. What a server has besides tools is asked for
by operations that all servers share, with the client chosen as the provider.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hubbub.kernel.errors import Invalid
from hubbub.kernel.limits import NAME_CHARS_MAX
from hubbub.operations.validation import compiled
from hubbub.protocol.mcp import TASKS
from hubbub.protocol.specs import NAME, AccessControl, ErrorDefinition, OperationSpec
from hubbub.upstreams.mcp.headers import Path, annotated

SHARED: Final = "mcp"
"""The namespace of what all servers share."""
RPC_ERROR: Final = "MCP_ERROR"
ERRORS: Final = (
    ErrorDefinition(
        code=RPC_ERROR,
        description="the server answered with a JSON-RPC error, which `rpc` holds as it came",
        schema={"type": "object", "properties": {"rpc": {"type": "object"}}},
    ),
)
HASH_CHARS: Final = 6

_TEXT: Final = {"type": "string"}


def _object(**properties: object) -> dict[str, object]:
    required = [name for name in properties if not name.endswith("_")]
    return {
        "type": "object",
        "properties": {name.rstrip("_"): schema for name, schema in properties.items()},
        **({"required": required} if required else {}),
    }


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Something other than tools that servers have."""

    name: str
    method: str
    capability: str
    description: str
    input: dict[str, object]
    streams: bool = False
    within: str | None = None
    """What of the capability says that it is there."""


FEATURES: Final = (
    Feature(
        name="listResources",
        method="resources/list",
        capability="resources",
        description="The resources of an MCP server, a page of them.",
        input=_object(cursor_=_TEXT),
    ),
    Feature(
        name="listResourceTemplates",
        method="resources/templates/list",
        capability="resources",
        description="The templates by which an MCP server makes URIs of resources.",
        input=_object(cursor_=_TEXT),
    ),
    Feature(
        name="readResource",
        method="resources/read",
        capability="resources",
        description="The contents of a resource of an MCP server.",
        input=_object(uri=_TEXT),
    ),
    Feature(
        name="subscribe",
        method="resources/subscribe",
        capability="resources",
        description="Hear of changes to a resource of an MCP server, until you leave.",
        input=_object(uri=_TEXT),
        streams=True,
        within="subscribe",
    ),
    Feature(
        name="listPrompts",
        method="prompts/list",
        capability="prompts",
        description="The prompts of an MCP server, a page of them.",
        input=_object(cursor_=_TEXT),
    ),
    Feature(
        name="getPrompt",
        method="prompts/get",
        capability="prompts",
        description="A prompt of an MCP server, filled in.",
        input=_object(name=_TEXT, arguments_={"type": "object"}),
    ),
    Feature(
        name="complete",
        method="completion/complete",
        capability="completions",
        description="What an argument of a prompt or of a resource template may go on with.",
        input=_object(
            ref={"type": "object"}, argument={"type": "object"}, context_={"type": "object"}
        ),
    ),
    Feature(
        name="setLevel",
        method="logging/setLevel",
        capability="logging",
        description="How severe the log messages of an MCP server are to be that you hear.",
        input=_object(level=_TEXT),
    ),
    Feature(
        name="getTask",
        method="tasks/get",
        capability="extensions",
        description="How a task of an MCP server stands.",
        input=_object(taskId=_TEXT),
        within=TASKS,
    ),
    Feature(
        name="updateTask",
        method="tasks/update",
        capability="extensions",
        description="Tell a task of an MCP server what it wants to know.",
        input=_object(taskId=_TEXT, inputResponses_={"type": "object"}),
        within=TASKS,
    ),
    Feature(
        name="cancelTask",
        method="tasks/cancel",
        capability="extensions",
        description="Stop a task of an MCP server.",
        input=_object(taskId=_TEXT),
        within=TASKS,
    ),
)

CHANGING: Final = frozenset({"setLevel", "updateTask", "cancelTask"})

FEATURE_SPECS: Final = {
    feature.name: OperationSpec(
        namespace=SHARED,
        name=feature.name,
        type=(
            "subscription"
            if feature.streams
            else "mutation"
            if feature.name in CHANGING
            else "query"
        ),
        description=f"{feature.description} Choose the server by `provider`.",
        input_schema=feature.input,
        error_schemas=ERRORS,
        shared=True,
    )
    for feature in FEATURES
}


def features(capabilities: Mapping[str, Any]) -> list[Feature]:
    """What a server with these capabilities can be asked for besides its tools."""
    return [each for each in FEATURES if _has(capabilities, each)]


def _has(capabilities: Mapping[str, Any], feature: Feature) -> bool:
    found = capabilities.get(feature.capability)
    if not isinstance(found, dict):
        return False
    return feature.within is None or found.get(feature.within) not in (None, False)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of a server, and the operation that it is."""

    name: str
    """As the server has it."""
    spec: OperationSpec
    headers: Mapping[Path, str]
    """Arguments that are repeated in headers."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A tool that cannot be offered."""

    name: str
    reason: str


def tool_of(
    client: str, listed: Mapping[str, Any], access: AccessControl, taken: Iterable[str]
) -> Tool | Skipped:
    """What a listed tool is to the hub.

    Args:
        taken: names of operations that other tools of the same server have already.
    """
    name = listed.get("name")
    if not isinstance(name, str) or not name:
        return Skipped(name=str(name)[:NAME_CHARS_MAX], reason="it has no name")
    schema = listed.get("inputSchema", {"type": "object"})
    output = listed.get("outputSchema", {})
    try:
        if not isinstance(schema, dict | bool) or not isinstance(output, dict | bool):
            raise ValueError("its schema is none")
        compiled(schema, at="inputSchema")
        headers = annotated(schema)
        hints = listed.get("annotations")
        spec = OperationSpec(
            namespace=client,
            name=fit(name, taken),
            # Whatever it says of itself: nobody has looked at what it does.
            type="mutation",
            title=_text(listed.get("title")),
            description=_text(listed.get("description")) or "",
            input_schema=schema,
            output_schema=output,
            error_schemas=ERRORS,
            access_control=access,
            idempotent=isinstance(hints, dict)
            and bool(hints.get("readOnlyHint") or hints.get("idempotentHint")),
            meta={"mcp": {k: v for k, v in listed.items() if k not in IN_SPEC}},
        )
    except Invalid as error:
        return Skipped(name=name[:NAME_CHARS_MAX], reason=f"{error.message} {error.details}"[:500])
    except ValueError as error:
        return Skipped(name=name[:NAME_CHARS_MAX], reason=str(error)[:500])
    return Tool(name=name, spec=spec, headers=headers)


IN_SPEC: Final = frozenset({"description", "inputSchema"})


def listed(spec: OperationSpec) -> dict[str, Any]:
    """The tool as its server lists it."""
    told = spec.meta.get("mcp")
    more = dict(told) if isinstance(told, dict) else {}
    found: dict[str, Any] = {"name": more.pop("name", spec.name)}
    if spec.description:
        found["description"] = spec.description
    return {**found, "inputSchema": spec.input_schema, **more}


def fit(name: str, taken: Iterable[str]) -> str:
    """A tool's name as an operation may have it: the same one, nearly always."""
    if re.fullmatch(NAME, name) and len(name) <= NAME_CHARS_MAX and name not in taken:
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if not re.match(r"[A-Za-z]", plain):
        plain = f"t{plain}"
    if len(plain) <= NAME_CHARS_MAX and plain not in taken:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:HASH_CHARS]
    return f"{plain[: NAME_CHARS_MAX - HASH_CHARS - 1]}_{mark}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
