"""Who may knock, and what is shown to those who do."""

from contextlib import AsyncExitStack

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from hubbub.interfaces.guard import bearer
from hubbub.kernel.errors import Invalid
from hubbub.storage.sqlite import READERS
from tests.support.peer import spec


@pytest.fixture
async def http(hub):
    async with httpx2.AsyncClient(base_url=hub.url, verify=False) as client:
        yield client


REFUSED = [
    {"Host": "evil.example.org"},
    {"Host": "127.0.0.1.evil.example.org"},
    {"Host": "localhost@evil.example.org"},
    {"Host": ""},
    {"Host": "[::1"},
    {"Origin": "https://evil.example.org"},
    {"Origin": "http://127.0.0.1.evil.example.org"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
]
NOT_ASKED = ("", "[::1", "localhost@evil.example.org")
"""Hosts that no client would ask for over a WebSocket."""
WELCOME = [{}, {"Host": "localhost"}, {"Host": "[::1]:4820"}, {"Origin": "http://localhost:4820"}]


async def test_a_request_for_another_host_or_from_another_origin_is_refused(hub, http):
    key = {"Authorization": f"Bearer {hub.key}"}
    for headers in REFUSED:
        for path in ("/v1/account/me", "/health", "/metrics", "/openapi.json", "/nothing"):
            answer = await http.get(path, headers=key | headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ACCESS_DENIED")
    for headers in WELCOME:
        assert (await http.get("/v1/account/me", headers=key | headers)).status_code == 200


async def test_a_connection_for_another_host_or_from_another_origin_is_refused(hub):
    for headers in REFUSED:
        if headers.get("Host") not in NOT_ASKED:
            with pytest.raises(InvalidStatus) as refused:
                await connect_as(hub, headers)
            assert refused.value.response.status_code == 403
    for headers in WELCOME:
        peer = await connect_as(hub, headers)
        assert await peer.call("account.me")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer a", "a"),
        ("bearer  a ", "a"),
        ("Bearer ", None),
        ("Basic a", None),
        ("a", None),
        (None, None),
    ],
)
def test_a_key_stands_behind_the_word_bearer(header, key):
    assert bearer(header) == key


async def test_an_owner_may_name_other_hosts(serve):
    async with (
        serve(hosts=("hub.example.org",)) as hub,
        httpx2.AsyncClient(base_url=hub.url, verify=False) as http,
    ):
        welcome = {"Host": "hub.example.org", "Origin": "https://hub.example.org"}
        assert (await http.get("/health", headers=welcome)).status_code == 200
        assert (await connect_as(hub, welcome)).open
        assert (await http.get("/health", headers={"Host": "other"})).status_code == 403


async def test_another_protocol_than_ours_is_refused(hub):
    with pytest.raises(InvalidStatus) as refused:
        await hub.connect(subprotocols=["chat"])
    assert refused.value.response.status_code == 400
    peer = await hub.connect(subprotocols=["chat", "hubbub.v1"])
    assert await peer.call("account.me")
    assert await (await hub.connect(subprotocols=None)).call("account.me")


async def test_the_first_frame_tells_what_holds(hub):
    hello = (await hub.connect()).hello
    me = await hub.door()("account.me")
    assert hello == {
        "protocol": 1,
        "hub": hello["hub"],
        "connectionId": hello["connectionId"],
        "accountId": me["id"],
        "pingIntervalMs": 15_000,
        "frameBytesMax": 16 * 1024 * 1024,
    }


async def test_the_process_answers_without_a_key(http):
    answer = await http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_every_part_says_whether_it_is_ready(http):
    answer = await http.get("/ready")
    assert answer.status_code == 200
    parts = answer.json()["parts"]
    assert {name: part["ready"] for name, part in parts.items()} == {
        "database": True,
        "calls": True,
        "records": True,
    }


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_database_that_does_not_answer_is_not_ready(hub, http, monkeypatch):
    monkeypatch.setattr("hubbub.interfaces.web.HEALTH_S", 0.05)
    async with AsyncExitStack() as busy:
        for _ in range(READERS):
            await busy.enter_async_context(hub.house.database.reading())
        answer = await http.get("/ready")
        assert (answer.status_code, answer.json()["parts"]["database"]["ready"]) == (503, False)
    monkeypatch.undo()
    assert (await http.get("/ready")).status_code == 200


async def test_numbers_are_shown_to_this_machine(hub, http):
    await hub.spoke("laptop", spec("dev.fs", "read"))
    await hub.door()("account.me")
    with pytest.raises(Invalid):
        await hub.door()("account.get")
    answer = await http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    for line in (
        'hubbub_calls_total{operation="account.me",status="completed"} 1.0',
        'hubbub_calls_total{operation="account.get",status="failed"} 1.0',
        'hubbub_call_seconds_count{operation="account.me"} 1.0',
        "hubbub_spokes_connected 1.0",
        "hubbub_connections 1.0",
        "hubbub_calls_in_flight 0.0",
    ):
        assert line in lines


async def test_numbers_are_shown_to_those_who_see_all_calls_where_strangers_come(serve):
    async with (
        serve(host="0.0.0.0", public=True) as hub,
        httpx2.AsyncClient(base_url=hub.url, verify=False) as http,
    ):
        assert (await http.get("/metrics")).status_code == 401
        for key, status in ((await hub.key_with(), 403), (await hub.key_with("calls:read"), 200)):
            answer = await http.get("/metrics", headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == status


@pytest.mark.slow
async def test_why_the_database_is_not_ready_is_for_those_on_this_machine(serve):
    details = []
    for where in ({}, {"host": "0.0.0.0", "public": True}):
        async with serve(**where) as hub, httpx2.AsyncClient(base_url=hub.url) as http:
            await hub.house.database.close()
            details.append((await http.get("/ready")).json()["parts"]["database"]["detail"])
    assert details[0].startswith(f"{details[1]}: ")


async def test_the_address_alone_leads_to_what_can_be_done_there(http):
    answer = await http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


async def connect_as(hub, headers):
    """A connection that shows these headers."""
    headers = dict(headers)
    options = {"origin": headers.pop("Origin")} if "Origin" in headers else {}
    if "Host" in headers:
        # What is dialled, and the name that is shown, are two things.
        host = hub.url.removeprefix("http://").split(":")
        options |= {"host": host[0], "port": int(host[1])}
        name = headers.pop("Host")
        return await hub.connect(named=name, **options)
    return await hub.connect(**options)
