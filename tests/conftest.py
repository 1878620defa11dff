"""What every test may ask for."""

import asyncio
import gc
import signal
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType

import pytest
import uvicorn.server
from hypothesis import HealthCheck, settings

from tests.support import services
from tests.support.doors import DOORS
from tests.support.hub import Template, in_one_task, postgres_copy, served, sqlite_copy
from tests.support.outside import node, outside_python
from tests.support.services import postgres_server

__all__ = ["node", "outside_python", "postgres_server"]


# Doors do not know on which database the hub stands, and behind each is the same hub: to see all
# pairs can wait.
SOON = {("sqlite", None), ("sqlite", "http"), ("sqlite", "websocket")}
EVERYWHERE = {*(("sqlite", door) for door in DOORS), ("postgresql", "http")}


def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        pair = params.get("dialect") or params.get("new_database"), params.get("door")
        soon = EVERYWHERE if item.get_closest_marker("everywhere") else SOON
        if pair[0] and pair not in soon:
            item.add_marker("slow")


# How long an example takes is the machine's business, and asserted nowhere.
settings.register_profile(
    "unhurried",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def brisk_ends():
    """uvicorn naps for a tenth of a second when it stops; a thousand tests had rather not."""
    hasty = ModuleType("asyncio")
    vars(hasty).update(vars(asyncio))
    hasty.sleep = lambda delay: asyncio.sleep(min(delay, 0.005))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", hasty)
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """A shell starts what runs in its background deaf to Ctrl-C, and that is passed on: here too,
    the programs that tests start and interrupt must hear it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def nobody_is_at_home(tmp_path_factory):
    """A hub on PostgreSQL keeps its keys in the user's data folder, which is none of a test's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_hub_freezes_another():
    """A hub that starts tells the collector to leave what is here alone, for it stays. Here that
    would be what is left of the hubs before it, which then would stay for good."""
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "freeze", lambda: None)
        yield


@pytest.fixture
def postgres_database(postgres_server):
    """Makes databases: `with postgres_database() as url`, or `postgres_database(template=url)`."""
    return partial(services.database, postgres_server)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    return Template.made(f"sqlite:///{tmp_path_factory.mktemp('template')}/hub.sqlite")


@pytest.fixture(scope="session")
def postgres_template(postgres_server):
    with services.database(postgres_server) as url:
        yield Template.made(url)


@pytest.fixture(scope="session")
def postgres_copies(postgres_server, postgres_template):
    copies = services.Copies(postgres_server, postgres_template.url)
    yield copies
    copies.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request):
    """Which of the two databases."""
    return request.param


@pytest.fixture
def template(request, dialect):
    name = {"sqlite": "sqlite_template", "postgresql": "postgres_template"}[dialect]
    return request.getfixturevalue(name)


@pytest.fixture
def new_database(request, dialect):
    """`with new_database(template) as url`: a copy; with None, an empty one."""
    if dialect == "sqlite":
        return sqlite_copy
    wanted = ("postgres_server", "postgres_copies")
    return partial(postgres_copy, *map(request.getfixturevalue, wanted))


@pytest.fixture
def database_url(new_database, template):
    """A database in which a hub was started once."""
    with new_database(template) as url:
        yield url


@pytest.fixture
def serve(database_url, template):
    """`async with serve(call_timeout_s=1) as hub`: as often as one likes, on one database."""

    @asynccontextmanager
    async def serving(url=database_url, **settings):
        async with served(url, template.key, **settings) as hub:
            yield hub

    return serving


@pytest.fixture
async def hub(serve):
    """A hub that listens."""
    async with in_one_task(serve()) as hub:
        yield hub


@pytest.fixture(params=list(DOORS))
def door(request):
    """Which of the ways in."""
    return request.param


@pytest.fixture
def call(hub, door):
    """The hub's owner, calling: `await call("account.create", email="x")`."""
    return hub.door(door)


@pytest.fixture
def caller_with(hub, door):
    """Somebody else who calls through the same door: `await caller_with("calls:read")`."""

    async def caller(*scopes, email=None):
        return hub.door(door, await hub.key_with(*scopes, email=email))

    return caller
