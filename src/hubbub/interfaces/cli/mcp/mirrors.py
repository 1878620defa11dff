"""Arguments that a tool wants to see in headers too. The newer revision has them over HTTP; a
client that speaks over pipes does not know of it. No I/O."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from hubbub.interfaces.cli.mcp.headers import encoded
from hubbub.protocol.codec import UNREADABLE

MARK: Final = b"x-mcp-header"
TOOLS_MAX: Final = 10_000
DEPTH_MAX: Final = 16
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Path = tuple[str, ...]


class Mirrors:
    """What is known of the tools that were listed."""

    def __init__(self) -> None:
        self._tools: dict[str, dict[Path, str]] = {}

    def learn(self, answer: bytes) -> None:
        """Take what an answer to `tools/list` says."""
        if MARK not in answer and not self._tools:
            return
        try:
            tools = _listing.decode(answer).result.tools
        except UNREADABLE:
            return
        for tool in tools:
            found = dict(_marked(tool.inputSchema, ()))
            if found and len(self._tools) < TOOLS_MAX:
                self._tools[tool.name] = found
            else:
                self._tools.pop(tool.name, None)

    def headers(self, tool: object, arguments: msgspec.Raw) -> dict[str, str]:
        """What a call of a tool has in headers."""
        known = self._tools.get(tool) if isinstance(tool, str) else None
        if not known:
            return {}
        try:
            given = msgspec.json.decode(arguments)
        except UNREADABLE:
            return {}
        values = {name: _text(_at(given, path)) for path, name in known.items()}
        return {
            f"Mcp-Param-{name}": encoded(value)
            for name, value in values.items()
            if value is not None
        }


class _Tool(msgspec.Struct):
    name: str
    inputSchema: Any = None  # as it is on the wire


class _Tools(msgspec.Struct):
    tools: list[_Tool] = []


class _Listing(msgspec.Struct):
    result: _Tools


_listing: Final = msgspec.json.Decoder(_Listing)


def _marked(schema: object, path: Path) -> Iterator[tuple[Path, str]]:
    """The properties that are marked, and the names that their headers end in."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(path) >= DEPTH_MAX:
        return
    for key, each in properties.items():
        name = each.get(MARK.decode()) if isinstance(each, dict) else None
        if isinstance(name, str) and _TOKEN.fullmatch(name):
            yield (*path, key), name
        yield from _marked(each, (*path, key))


def _at(value: object, path: Path) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str | None:
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case _:
            return None
