"""How the hub listens."""

import asyncio
import socket
from contextlib import suppress

import pytest

from hubbub.interfaces.server import bound
from tests.support.hub import in_one_task, served
from tests.support.peer import PATIENCE_S


def test_a_small_answer_is_sent_at_once():
    with (
        bound("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.fixture
async def stream(tmp_path):
    """A connection to a hub, as bytes."""
    async with in_one_task(served(f"sqlite:///{tmp_path / 'hub.sqlite'}", "")) as hub:
        port = int(hub.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()


async def refused(reader, writer, part):
    """Whether the hub ends a connection over which this comes again and again."""
    with suppress(ConnectionError):
        for _ in range(100):
            writer.write(part)
            await writer.drain()
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionError):
            await reader.read()
    return True


async def test_a_head_without_an_end_is_refused(stream):
    reader, writer = stream
    writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert await refused(reader, writer, b"X: " + b"a" * 65536 + b"\r\n")


async def test_an_address_without_an_end_is_refused(stream):
    reader, writer = stream
    writer.write(b"GET /")
    assert await refused(reader, writer, b"a" * 65536)


async def test_trailers_without_an_end_are_refused(stream):
    reader, writer = stream
    head = b"POST /v1/account/me HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"0\r\n")
    assert await refused(reader, writer, b"X: " + b"a" * 65536 + b"\r\n")


async def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(stream, monkeypatch):
    monkeypatch.setattr("hubbub.interfaces.requests.HEAD_S", 0.05)
    reader, writer = stream
    writer.write(b"GET /health HTTP/1.1\r\nHost")
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
