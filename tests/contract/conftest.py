"""Databases to hold the contract against: one of each kind a run, made and thrown away."""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from hubbub.storage import migrate

NewDatabase = Callable[[], str]

_SERVER = os.environ.get("HUBBUB_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    folder: Path = tmp_path_factory.mktemp("contract")
    return lambda: f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite"


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[NewDatabase]:
    try:
        asyncio.run(_on_server("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as e:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(
            f"NO POSTGRESQL: half of the contract is not held. Set HUBBUB_TEST_POSTGRES ({e})"
        )
    made: list[str] = []

    def new() -> str:
        made.append(f"hubbub_contract_{uuid.uuid4().hex}")
        asyncio.run(_on_server(f"CREATE DATABASE {made[-1]}"))
        return make_url(_SERVER).set(database=made[-1]).render_as_string(hide_password=False)

    yield new
    for name in made:
        asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def _on_server(statement: str) -> None:
    connection = await asyncpg.connect(_SERVER, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


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
