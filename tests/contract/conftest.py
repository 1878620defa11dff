"""Databases to hold the contract against: one of each kind a run, made and thrown away."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hubbub.storage import migrate
from tests.support import services

NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    folder: Path = tmp_path_factory.mktemp("contract")
    return lambda: f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite"


@pytest.fixture(scope="session")
def new_postgresql(postgres_server: str) -> Iterator[NewDatabase]:
    with ExitStack() as made:
        yield lambda: made.enter_context(services.database(postgres_server))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    made: NewDatabase = request.getfixturevalue(f"new_{request.param}")
    return made


@pytest.fixture(scope="session")
def migrated(new_database: NewDatabase) -> str:
    """A database of either kind, brought to the newest schema. Stories leave nothing in it."""
    url = new_database()
    migrate.upgrade(url)
    return url
