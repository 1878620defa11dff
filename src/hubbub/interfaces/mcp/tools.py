"""The tools that agents see, and what each does with the hub's operations."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.calls.model import Ask, Call
from hubbub.calls.offers import Offers
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp.compact import signature
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import HubError, Invalid
from hubbub.operations.access import allowed
from hubbub.operations.context import Caller
from hubbub.operations.validation import Validator
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import Progressed

QUERIES_MAX: Final = 10
NAMESPACES_SHOWN: Final = 12

_TEXT: Final = {"type": "string", "minLength": 1}

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
        "properties": {"name": {**_TEXT, "description": "As find_tool or list_tools gave it."}},
    },
    "call_tool": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {**_TEXT, "description": "As find_tool or list_tools gave it."},
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
}

DESCRIPTIONS: Final = {
    "describe_tool": "All that is known of a tool: its schemas, its errors and who may call it.",
    "call_tool": "Call a tool that find_tool or list_tools named.",
    "list_tools": "The tools that you may call, in the order of their names, page by page.",
}

INSTRUCTIONS: Final = (
    "Many tools stand behind this server. Find the right one with find_tool, by a sentence that "
    "says what is to be done, and call it by its name with call_tool."
)

_validators: Final = {name: Validator(schema) for name, schema in SCHEMAS.items()}


@dataclass(frozen=True, kw_only=True)
class Use:
    """One call of one tool by an agent."""

    caller: Caller
    arguments: dict[str, Any]
    began: Callable[[Call], None]
    """Told of the hub's call that the tool is carried out by, so that it can be stopped."""


class Tools:
    """What an agent can do here."""

    def __init__(self, entrance: Entrance, offers: Offers) -> None:
        self._entrance = entrance
        self._offers = offers

    def listed(self, caller: Caller) -> list[dict[str, object]]:
        """The tools as `tools/list` has them, in an order that never changes."""
        return [
            {
                "name": name,
                "description": DESCRIPTIONS.get(name) or self._behind(caller),
                "inputSchema": schema,
                "annotations": {"readOnlyHint": name != "call_tool"},
            }
            for name, schema in SCHEMAS.items()
        ]

    async def use(self, name: str, use: Use) -> AsyncGenerator[Progressed | dict[str, object]]:
        """Progress as it comes, and last the result of `tools/call`. What went wrong in a tool is a
        result, too."""
        try:
            _validators[name].check(encode(use.arguments))
            match name:
                case "find_tool":
                    yield _told(await self._find(use))
                case "describe_tool":
                    yield _told(await self._asked("operation.schema", {"id": _name(use)}, use))
                case "list_tools":
                    yield _told(await self._asked("operation.list", use.arguments, use))
                case _:
                    async with aclosing(self._call(use)) as told:
                        async for each in told:
                            yield each
        except HubError as error:
            yield _failed(error)

    async def _find(self, use: Use) -> dict[str, object]:
        queries = use.arguments["queries"]
        found = []
        for query in [queries] if isinstance(queries, str) else queries:
            limit = use.arguments.get("limit", 5)
            page = await self._asked("operation.search", {"text": query, "limit": limit}, use)
            tools = [await self._shown(hit, use) for hit in page["items"]]
            found.append({"query": query, "tools": tools, **_why(tools)})
        return {"results": found}

    async def _shown(self, hit: Mapping[str, Any], use: Use) -> dict[str, object]:
        spec = await self._asked("operation.schema", {"id": hit["id"]}, use)
        full = use.arguments.get("detail") == "full"
        schema = spec["inputSchema"]
        return {
            "name": hit["id"],
            "description": hit["description"],
            **({"inputSchema": schema} if full else {"arguments": signature(schema)}),
            "score": hit["score"],
            "matched": hit["matched"],
        }

    async def _call(self, use: Use) -> AsyncGenerator[Progressed | dict[str, object]]:
        arguments = use.arguments
        timeout_ms = arguments.get("timeoutMs")
        ask = Ask(
            operation_id=_name(use),
            input=Raw(encode(arguments.get("arguments", {}))),
            deadline_ms=None if timeout_ms is None else epoch_ms() + timeout_ms,
            idle_timeout_ms=timeout_ms,
            provider=arguments.get("provider"),
        )
        found: list[dict[str, Any]] = []  # one, or those of a subscription until it completes
        opened = self._entrance.opened(ask, use.caller, wants_progress=True)
        async with opened as (call, answers):
            use.began(call)
            async for answer in answers:
                if isinstance(answer, Progressed):
                    yield answer
                else:
                    found.append(msgspec.json.decode(answer))
        if len(found) == 1:
            yield _relayed(found[0])
        else:
            yield _told({"answers": [answer["data"] for answer in found]})

    async def _asked(self, operation_id: str, input: object, use: Use) -> Any:
        """What one of the hub's own queries answers with."""
        ask = Ask(operation_id=operation_id, input=Raw(encode(input)))
        async with self._entrance.opened(ask, use.caller) as (call, answers):
            use.began(call)
            answer = await anext(answers)
        assert isinstance(answer, Raw)  # progress was not asked for
        return msgspec.json.decode(answer)["data"]

    def _behind(self, caller: Caller) -> str:
        """What `find_tool` says of itself: what it would find now."""
        specs = [offering.definition.spec for offering in self._offers.all()]
        seen = [spec for spec in specs if allowed(spec.access_control, caller.identity)]
        namespaces = sorted({_without_ids(spec.namespace) for spec in seen})
        shown = ", ".join(namespaces[:NAMESPACES_SHOWN])
        more = "" if len(namespaces) <= NAMESPACES_SHOWN else " and more"
        return (
            "Find tools by what they do. Say what is to be done in plain words, one capability a "
            f"query. {len(seen)} tools can be found now: {shown}{more}."
        )


def _name(use: Use) -> str:
    name: str = use.arguments["name"]
    return name


def _without_ids(namespace: str) -> str:
    """A namespace as people know it: `dev.{spokeId}.fs` is `dev.fs`."""
    return ".".join(part for part in namespace.split(".") if len(part) != 36)


def _why(tools: list[dict[str, object]]) -> dict[str, object]:
    """An answer is never empty without a reason."""
    if tools:
        return {}
    return {"hint": "no tool has any of these words: use others, or look through list_tools"}


def _told(value: object) -> dict[str, object]:
    """A result of the hub's own."""
    content = [{"type": "text", "text": encode(value).decode()}]
    if isinstance(value, dict):
        return {"content": content, "structuredContent": value, "isError": False}
    return {"content": content, "isError": False}


def _relayed(envelope: Mapping[str, Any]) -> dict[str, object]:
    """A result of an operation; one that came from an MCP server is given as it was."""
    meta = envelope["meta"]
    if meta["source"] != "mcp":
        data = envelope["data"]
        if isinstance(data, str):
            return {"content": [{"type": "text", "text": data}], "isError": False}
        return _told(data)
    given = {"content": meta["content"], "isError": meta["isError"]}
    if meta.get("structuredContent") is not None:
        given["structuredContent"] = meta["structuredContent"]
    return given


def _failed(error: HubError) -> dict[str, object]:
    """What an agent needs to mend its call, in words and as data."""
    about = {"code": error.name, "message": error.message, "details": error.details}
    text = f"{error.name}: {error.message}"
    if isinstance(error, Invalid) or error.details:
        text += f" {encode(error.details).decode()}"
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": {"error": about},
        "isError": True,
    }
