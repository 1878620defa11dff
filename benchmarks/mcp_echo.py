"""The least that an MCP server can be: one tool, which says what it is told. Both eras."""

import json
import socket

import uvicorn
from starlette.types import Receive, Scope, Send

from hubbub.protocol.mcp import HANDSHAKE, MODERN, VERSION_KEY

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOL = {"name": "echo", "description": "Say it again", "inputSchema": SCHEMA}
HEADERS = [(b"content-type", b"application/json")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One message, and its answer if it has one."""
    if scope["type"] != "http":
        return
    body = b""
    more = scope["method"] == "POST"
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    answer = _answer(json.loads(body)) if body else None
    status = 200 if answer is not None else 202 if body else 405
    said = b"" if answer is None else json.dumps(answer).encode()
    headers = [*HEADERS, (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def _answer(message: dict[str, object]) -> dict[str, object] | None:
    if "id" not in message:
        return None
    params = message.get("params", {})
    assert isinstance(params, dict)
    modern = VERSION_KEY in params.get("_meta", {})
    result: dict[str, object]
    match message["method"]:
        case "initialize":
            result = {
                "protocolVersion": HANDSHAKE[-1],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "echo", "version": "1"},
            }
        case "server/discover" if modern:
            result = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
        case "ping":
            result = {}
        case "tools/list":
            result = {"tools": [TOOL]}
        case "tools/call":
            result = {"content": [{"type": "text", "text": params["arguments"]["text"]}]}
        case _:
            error = {"code": -32601, "message": "there is no such method"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    if modern:
        result |= {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def main() -> None:
    """Says at which URL, in one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}), flush=True)
        config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
