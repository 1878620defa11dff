"""Hubs in processes of their own, so that they can be killed and weighed."""

import resource
import socket
from contextlib import suppress

import pytest

from benchmarks.hubs import Hub
from tests.hardness.clients import Client

FILES_WANTED = 8192


@pytest.fixture(scope="session", autouse=True)
def many_files():
    """Let this process and the hubs that it starts have thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.fixture
def port():
    """A port that stays the same when a hub comes back."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def start(tmp_path):
    """Starts hubs: `start(database=..., key=..., name=value)`. All have ended with the test."""
    started = []

    def start(database=None, key=None, **settings):
        hub = Hub(database or f"sqlite:///{tmp_path / 'hub.sqlite'}", key=key, **settings)
        started.append(hub)
        return hub

    yield start
    for hub in started:
        hub.kill()


@pytest.fixture
async def connect():
    """Connects clients to a hub: `await connect(hub)`. All have left with the test."""
    connected = []

    async def connect(hub, client=None, **how):
        client = client or Client()
        await client.connect(hub.url, hub.key, **how)
        connected.append(client)
        return client

    yield connect
    for client in connected:
        with suppress(Exception):
            client.transport.disconnect(False)
