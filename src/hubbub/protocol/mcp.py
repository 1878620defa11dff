"""What both edges know of MCP: revisions, error codes, and the keys that `_meta` reserves.

Up to 2025-11-25 a client shakes hands (`initialize`) and then sends plain requests. From 2026-07-28
on every request says in `params._meta` which revision it speaks, so that there is no session to
keep; and what a server wants to know of its client in the middle of a call is no request of its
own, but a result of type `input_required`, after which the client asks again.
"""

from typing import Final

MODERN: Final = "2026-07-28"
HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
"""Of the older revisions; the newer one says INVALID_PARAMS."""
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

RESERVED: Final = "io.modelcontextprotocol/"
"""Keys of `_meta` that begin so concern one hop, and are not passed on."""
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
CLIENT_KEY: Final = "io.modelcontextprotocol/clientInfo"
SERVER_KEY: Final = "io.modelcontextprotocol/serverInfo"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension by which a call goes on by itself while its client looks in."""

NAMED: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Methods whose subject the header `Mcp-Name` repeats, and where the body has it."""

RequestId = str | int


class RpcError(Exception):
    """A message that cannot be answered with a result."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def body(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}
