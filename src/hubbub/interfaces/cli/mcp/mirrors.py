"""Arguments that a tool wants to see in headers too. The newer revision has them over HTTP; a
client that speaks over pipes does not know of it. No I/O."""

from typing import Any, Final

import msgspec

from hubbub.protocol.codec import UNREADABLE
from hubbub.upstreams.mcp.headers import Path, annotated, param_headers

MARK: Final = b"x-mcp-header"
TOOLS_MAX: Final = 10_000


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
            found = _marked(tool.inputSchema)
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
        return param_headers(known, given)


class _Tool(msgspec.Struct):
    name: str
    inputSchema: Any = None  # as it is on the wire


class _Tools(msgspec.Struct):
    tools: list[_Tool] = []


class _Listing(msgspec.Struct):
    result: _Tools


_listing: Final = msgspec.json.Decoder(_Listing)


def _marked(schema: object) -> dict[Path, str]:
    """The properties that are marked, and the names that their headers end in."""
    try:
        return annotated(schema)
    except ValueError:
        return {}  # who offers such a tool is told by the hub
