"""What tests of clients and their secrets share."""

import pytest

from hubbub.kernel.clock import utc_now
from hubbub.services import keyfile
from hubbub.services.secrets import Secrets


@pytest.fixture
def key_path(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def keyed(serve, key_path):
    """A hub with a key file of its own: `async with keyed() as hub`."""
    return lambda **more: serve(key_file=str(key_path), **more)


@pytest.fixture
def opens(key_path):
    """What a connection to a client is given: `opens(hub).of(id)`."""
    return lambda hub, clock=utc_now: Secrets(hub.house.database, keyfile.read(key_path), clock)
