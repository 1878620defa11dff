"""`hubbub mcp login`: somebody at a browser."""

import asyncio

import httpx2
import pytest

from tests.cli.conftest import ended, start
from tests.support.authority import guarded_server

pytestmark = pytest.mark.slow


@pytest.fixture
async def authority():
    async with guarded_server() as authority:
        yield authority


@pytest.fixture
def command(served):
    def started(*words):
        return start(served.home, "mcp", *words, HUBBUB_URL=served.url)

    return started


@pytest.fixture
async def guarded(answer, authority):
    """A server that wants somebody to agree, under the name `guarded`."""
    config = f'{{"transport": "streamable-http", "url": "{authority.url}/mcp"}}'
    words = ("name=guarded", "type=mcp-server", f"config={config}")
    await asyncio.to_thread(answer, "call", "client.create", *words)
    yield "guarded"
    await asyncio.to_thread(answer, "call", "client.remove", "client=guarded")


async def test_who_agrees_in_a_browser_is_told_so_in_the_terminal(command, guarded, authority):
    login = command("login", guarded, "--no-browser")
    line = await asyncio.to_thread(login.stdout.readline)
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(line.removeprefix("Agree here: ").strip())
    assert "Hubbub may use guarded now" in page.text
    code, out, err = await asyncio.to_thread(ended, login)
    assert (code, out, err) == (0, "guarded lets the hub in: 1 tools.\n", "")
    logout = await asyncio.to_thread(ended, command("logout", guarded))
    assert logout == (0, "The hub shows guarded nothing any more.\n", "")


async def test_a_program_is_given_the_address_alone(answer, guarded, served):
    begun = await asyncio.to_thread(answer, "mcp", "login", guarded)
    assert begun.keys() == {"url", "expiresAt"}
    assert f"{served.url.split('//')[1].replace(':', '%3A')}%2Foauth%2Fcallback" in begun["url"]


async def test_a_server_that_needs_a_person_is_not_ready_and_waiting_does_not_help(cli, guarded):
    checked = await asyncio.to_thread(cli, "mcp", "check", guarded)
    assert checked.exit_code == 11
    assert "guarded needs authorization" in checked.stdout
