"""FastMCP's proxy, in the environment of `requirements/fastmcp.txt`, where nothing of ours is.

`python -P fastmcp_proxy.py URL [MODE]`. As it comes, it connects to the server behind it anew for
each call; with a mode, which is an era, all calls share one connected client, which is faster.
"""

import asyncio
import json
import socket
import sys

from fastmcp.server import create_proxy  # type: ignore[import-not-found]
from fastmcp.server.providers.proxy import (  # type: ignore[import-not-found]
    FastMCPProxy,
    ProxyClient,
)


async def main(url: str, mode: str | None) -> None:
    """Says at which URL, in one line."""
    if mode is None:
        await serve(create_proxy(url, name="proxy"))
        return
    async with ProxyClient(url, mode=mode) as client:
        await serve(FastMCPProxy(client_factory=lambda: client, name="proxy"))


async def serve(proxy: FastMCPProxy) -> None:
    """Until it is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # As it would be if FastMCP had made it: a body does not wait for the headers to arrive.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}/mcp"}), flush=True)
        await proxy.run_http_async(
            show_banner=False,
            json_response=True,
            log_level="error",
            uvicorn_config={"access_log": False},
            sockets=[listener],
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
