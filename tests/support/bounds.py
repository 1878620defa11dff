"""A bound on every asynchronous test of a folder: its conftest calls `bound`."""

import asyncio
import functools
import inspect
from collections.abc import Iterable
from pathlib import Path

import pytest

TEST_S = 5


def bound(items: Iterable[pytest.Item], folder: Path) -> None:
    """Let no test below `folder` wait longer than `TEST_S`, whatever it waits for."""
    for item in items:
        waits = isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj)
        if waits and folder in item.path.parents:
            item.obj = _bounded(item.obj)


def _bounded(test):
    @functools.wraps(test)
    async def run(*args, **kwargs):
        async with asyncio.timeout(TEST_S):
            await test(*args, **kwargs)

    return run
