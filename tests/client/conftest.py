from pathlib import Path

import pytest

from tests.client.peer import scripted_hub
from tests.support.bounds import bound


def pytest_collection_modifyitems(items):
    bound(items, Path(__file__).parent)


@pytest.fixture
async def scripted():
    async with scripted_hub() as hub:
        yield hub
