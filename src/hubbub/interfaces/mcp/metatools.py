"""The few tools by which agents find, read about and call all others: how they are described."""

from collections.abc import Mapping
from typing import Any, Final

from hubbub.operations.validation import Validator

QUERIES_MAX: Final = 10
NAMESPACES_SHOWN: Final = 12

_TEXT: Final = {"type": "string", "minLength": 1}
_NAME: Final = {**_TEXT, "description": "As find_tool or list_tools gave it."}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "find_tool": {
        "type": "object",
        "required": ["queries"],
        "additionalProperties": False,
        "properties": {
            "queries": {
                "description": "What is to be done, one capability each, in plain words.",
                "anyOf": [
                    _TEXT,
                    {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": QUERIES_MAX},
                ],
            },
            "keywords": {
                "description": "Words that the tool's own text is likely to have.",
                "type": "array",
                "items": _TEXT,
                "maxItems": 20,
            },
            "limit": {
                "description": "Tools for each query.",
                "type": "integer",
                "minimum": 1,
                "maximum": 50,
                "default": 5,
            },
            "detail": {
                "description": "`compact`: arguments in one line; `full`: the schema.",
                "enum": ["compact", "full"],
                "default": "compact",
            },
        },
    },
    "describe_tool": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {"name": _NAME},
    },
    "call_tool": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": _NAME,
            "arguments": {"type": "object", "default": {}},
            "provider": {
                **_TEXT,
                "description": "The one machine that shall answer, where several could.",
            },
            "timeoutMs": {"type": "integer", "minimum": 1},
        },
    },
    "list_tools": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "namespace": {**_TEXT, "description": "Only tools in this namespace and below it."},
            "cursor": {**_TEXT, "description": "The nextCursor of the page before."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        },
    },
    "read_result": {
        "type": "object",
        "required": ["handle"],
        "additionalProperties": False,
        "properties": {
            "handle": {**_TEXT, "description": "As call_tool gave it with a large result."},
            "cursor": {**_TEXT, "description": "The nextCursor of the part before."},
        },
    },
    "search_registry": {
        "type": "object",
        "required": ["query"],
        "additionalProperties": False,
        "properties": {
            "query": {**_TEXT, "description": "What the server is to be good for."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5},
        },
    },
    "install_server": {
        "type": "object",
        "required": ["server"],
        "additionalProperties": False,
        "properties": {
            "server": {**_TEXT, "description": "As search_registry gave it."},
            "name": {**_TEXT, "description": "How it is to be called here."},
            "settings": {
                "description": "What it must be told. No secrets: those are set by their owner.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
        },
    },
}

DESCRIPTIONS: Final = {
    "describe_tool": "All that is known of a tool: its schemas, its errors and who may call it.",
    "call_tool": (
        "Call a tool that find_tool or list_tools named. Of a large result the first part is "
        "given, and a handle for read_result."
    ),
    "list_tools": "The tools that you may call, in the order of their names, page by page.",
    "read_result": "The next part of a large result of call_tool.",
    "search_registry": "Find MCP servers that could be installed, where no tool here will do.",
    "install_server": (
        "Have the hub connect to an MCP server that search_registry found. The user is asked first."
    ),
}

CHANGING: Final = frozenset({"call_tool", "install_server"})

INSTRUCTIONS: Final = (
    "Many tools stand behind this server. Find the right one with find_tool, by a sentence that "
    "says what is to be done, and call it by its name with call_tool."
)

VALIDATORS: Final = {name: Validator(schema) for name, schema in SCHEMAS.items()}


def tool(name: str, description: str | None = None) -> Mapping[str, object]:
    """One of them as MCP has it."""
    return {
        "name": name,
        "description": description or DESCRIPTIONS[name],
        "inputSchema": SCHEMAS[name],
        "annotations": {"readOnlyHint": name not in CHANGING},
    }
