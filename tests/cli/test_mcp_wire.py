"""What goes over the wire between the bridge and the hub."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.mirrors import Mirrors
from hubbub.interfaces.cli.mcp.wire import Lost, Unsent, Wire
from hubbub.upstreams.mcp.headers import header_value


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("tools/call", "tools/call"),
        ("a b", "a b"),
        ("", ""),
        ("é", "=?base64?w6k=?="),
        (" a", "=?base64?IGE=?="),
        ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
    ],
)
def test_any_text_is_carried_by_a_header(text, header):
    assert header_value(text) == header


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', "asks"),
        (b'{"id":"a","method":"x","params":{"name":3}}', "asks"),
        (b'{"method":"notifications/initialized"}', "tells"),
        (b'{"id":1,"result":{"deep":[[[]]]}}', "answers"),
        (b'{"id":null,"error":{}}', "answers"),
        (b"[]", None),
        (b'{"id":{},"method":"x"}', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_message_is_known_by_what_is_on_it(line, kind):
    envelope = envelopes.opened(line)
    if envelope is None:
        assert kind is None
    else:
        assert kind == ("asks" if envelope.asks else "answers" if envelope.answers else "tells")


def test_arguments_are_mirrored_as_the_schema_has_it():
    mirrors = Mirrors()
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "where": {"properties": {"zone": {"type": "integer", "x-mcp-header": "Zone"}}},
        }
    }
    unfit = {"properties": {"bad": {"type": "string", "x-mcp-header": "not a token"}}}
    tools = [{"name": "a", "inputSchema": schema}, {"name": "b", "inputSchema": unfit}]
    mirrors.learn(msgspec.json.encode({"id": 1, "result": {"tools": tools}}))
    given = msgspec.Raw(b'{"region":"eu","where":{"zone":7},"more":1}')
    assert mirrors.headers("a", given) == {"Mcp-Param-Region": "eu", "Mcp-Param-Zone": "7"}
    assert mirrors.headers("a", msgspec.Raw(b'{"region":null}')) == {}
    assert mirrors.headers("b", msgspec.Raw(b'{"bad":"x"}')) == {}
    mirrors.learn(b'{"id":2,"result":{"tools":[{"name":"a"}]}}')
    assert mirrors.headers("a", given) == {}


def test_a_task_is_named_in_the_headers_too():
    params = envelopes.Params(taskId="t1")
    assert envelopes.headers_of("tasks/get", params, "2026-07-28")["Mcp-Name"] == "t1"


@asynccontextmanager
async def answering(*answers, seen=None):
    """A server that answers each request with bytes, hanging up after an empty one."""
    left = list(answers)

    async def serve(reader, writer):
        if seen is not None:
            seen.append(writer)
        while left:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
            await reader.readexactly(length)
            answer = left.pop(0)
            writer.write(answer)
            await writer.drain()
            if not answer or answer.endswith(b"cut"):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        wire = Wire(f"http://127.0.0.1:{port}")
        try:
            async with asyncio.timeout(5):
                yield wire
        finally:
            wire.close()


async def asked(wire, body=b"{}"):
    response = await wire.send("POST", "/mcp", {"A": "b"}, body=body)
    try:
        return response.status, await response.body()
    finally:
        response.done()


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


async def test_a_connection_is_used_again():
    seen = []
    async with answering(PLAIN, CHUNKED, PLAIN, seen=seen) as wire:
        assert [await asked(wire) for _ in range(3)] == [(200, b"ok")] * 3
    assert len(seen) == 1


async def test_one_whose_answer_was_not_read_is_not():
    seen = []
    async with answering(PLAIN, PLAIN, seen=seen) as wire:
        (await wire.send("POST", "/mcp", {})).done()
        assert await asked(wire) == (200, b"ok")
    assert len(seen) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ncut",
        b"SSH-2.0-something\r\n\r\n",
    ],
)
async def test_what_breaks_off_is_lost(answer):
    async with answering(answer) as wire:
        with pytest.raises(Lost):
            await asked(wire)


async def test_a_body_without_a_length_ends_with_the_connection():
    async with answering(b"HTTP/1.1 200 OK\r\n\r\nto the cut") as wire:
        assert await asked(wire) == (200, b"to the cut")


async def test_nobody_there_means_that_nothing_was_sent():
    async with answering() as wire:
        pass
    with pytest.raises(Unsent):
        await asked(wire)


async def test_much_is_sent_and_taken():
    much = b"x" * 3_000_000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(much)}\r\n\r\n".encode()
    async with answering(head + much) as wire:
        assert await asked(wire, much) == (200, much)
