"""The least that an MCP proxy in Python can be, the floor under the hub: raw ASGI, one pooled
client, JSON both ways, nothing looked at and nothing recorded. `python -m benchmarks.mcp_thin URL`.
"""

import json
import socket
import sys
from typing import Final

import aiohttp
import msgspec
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

PASSED: Final = (b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"mcp-session-id")
ALWAYS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


class Proxy:
    """Sends requests on, and answers back."""

    def __init__(self, url: str, web: aiohttp.ClientSession) -> None:
        self._url = url
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        message = msgspec.json.encode(msgspec.json.decode(body))
        headers = dict(ALWAYS)
        for name, value in scope["headers"]:
            if name in PASSED:
                headers[name.decode()] = value.decode()
        async with self._web.post(self._url, data=message, headers=headers) as response:
            said = await response.read()
            kept = [(b"content-type", b"application/json")]
            if session := response.headers.get("mcp-session-id"):
                kept.append((b"mcp-session-id", session.encode()))
        if said:
            said = msgspec.json.encode(msgspec.json.decode(said))
        kept.append((b"content-length", str(len(said)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": kept})
        await send({"type": "http.response.body", "body": said})


async def main(url: str) -> None:
    """Says at which URL, in one line."""
    async with aiohttp.ClientSession() as web:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            print(json.dumps({"url": f"http://127.0.0.1:{port}/mcp"}), flush=True)
            config = uvicorn.Config(
                Proxy(url, web), lifespan="off", log_level="warning", access_log=False
            )
            await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
