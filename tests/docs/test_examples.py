"""What the documentation shows is what happens: its examples are carried out, page by page."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from hubbub.client import Hub
from tests.support.examples import ROOT, RUN, SHOWN, Examples, blocks

PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if page.name != "contract.md" and page.parent.name not in ("reference", "decisions")
    ),
]
NOT_RUN_MAX = 10
POSTGRES = "postgresql://hubbub@127.0.0.1/hubbub"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextmanager
def hub_at(port: int, database: Path, log: Path):
    """A hub as a process, on a database that is there already."""
    words = ("serve", "--port", str(port), "--database", f"sqlite:///{database}", "--json")
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "hubbub", *words],
            env={"PATH": os.environ["PATH"], "HOME": str(database.parent)},
            stdout=subprocess.PIPE,
            stderr=said,
        )
    try:
        assert process.stdout.readline(), log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()


def starts_its_own(page) -> bool:
    return any("background" in block.words and "serve" in block.text for block in page)


@pytest.fixture
def examples(tmp_path, request, monkeypatch):
    """Makes what a page needs: a hub, unless it starts one, and databases that it names."""
    with ExitStack() as stack:

        @asynccontextmanager
        async def prepared(page):
            port = free_port()
            replaced = {}
            if any(POSTGRES in block.text for block in page if block.not_run is None):
                made = request.getfixturevalue("postgres_database")
                replaced[POSTGRES] = stack.enter_context(made())
            carrying_out = Examples(tmp_path, f"127.0.0.1:{port}", replaced)
            if not starts_its_own(page):
                template = request.getfixturevalue("sqlite_template")
                database = tmp_path / "hub.sqlite"
                shutil.copy(template.url.removeprefix("sqlite:///"), database)
                stack.enter_context(hub_at(port, database, tmp_path / "hub.log"))
                carrying_out.save_key(f"http://127.0.0.1:{port}", template.key)
                carrying_out.name("key", template.key)
            stack.callback(carrying_out.close)
            monkeypatch.chdir(tmp_path / "folder")
            if starts_its_own(page):
                yield carrying_out
            else:
                async with Hub(f"http://127.0.0.1:{port}", key=template.key) as hub:
                    carrying_out.name("hub", hub)
                    yield carrying_out

        yield prepared


@pytest.mark.slow
@each_page
async def test_the_examples_of_a_page_do_what_it_says(page, examples):
    found = blocks(page)
    if any(block.language in RUN and block.not_run is None for block in found):
        async with examples(found) as carrying_out:
            await carrying_out.carry_out(found)


@each_page
def test_every_block_is_carried_out_or_says_why_not(page):
    unknown = [
        f"line {block.line}: {block.language}"
        for block in blocks(page)
        if block.language not in RUN | SHOWN or block.not_run == ""
    ]
    assert unknown == []


def test_there_are_few_blocks_that_are_not_carried_out():
    left_out = [block for page in PAGES for block in blocks(page) if block.not_run is not None]
    assert len(left_out) <= NOT_RUN_MAX
