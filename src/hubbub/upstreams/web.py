"""HTTP to what the hub dials."""

import aiohttp

from hubbub.services.model import McpServer

READ_BUFFER_BYTES = 256 * 1024


def web_client(config: McpServer) -> aiohttp.ClientSession:
    """Connections to one server, kept as long as it is used. Calls have deadlines of their own."""
    return aiohttp.ClientSession(
        headers=config.headers,
        # How many calls there are at once is bounded elsewhere; a stream keeps a connection.
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=READ_BUFFER_BYTES,
    )
