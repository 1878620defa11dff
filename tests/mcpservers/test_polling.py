"""Sources that are asked again and again: a dead one is nobody else's affair."""

from contextlib import asynccontextmanager

import anyio
import pytest

from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Conflict, NotFound, Unavailable
from hubbub.mcpservers.polling import Poller
from tests.support.hub import in_one_task, until

from .said import container, entry, registry, running, tool, workload

IMAGE = container("ghcr.io/x/y:1")


class Registry:
    def __init__(self, name, *servers):
        self.name = name
        self.servers = servers
        self.error = None
        self.heard = 0

    async def snapshot(self):
        if self.error:
            raise self.error
        return registry(*self.servers, source=self.name)

    def accepted(self):
        self.heard += 1


class Workloads:
    def __init__(self, name, *workloads):
        self.name = name
        self.workloads = workloads
        self.error = None

    async def snapshot(self):
        if self.error:
            raise self.error
        return running(*self.workloads, source=self.name)


@asynccontextmanager
async def cancelled_in_the_end():
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


@pytest.fixture
async def tasks():
    async with in_one_task(cancelled_in_the_end()) as tasks:
        yield tasks


@pytest.fixture
def poller(ingestion, tasks):
    return Poller(ingestion, utc_now, tasks)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestPolling:
    async def test_workloads_wait_for_what_they_could_be_linked_to(self, poller, rows):
        poller.add_workloads(Workloads("thv", workload("w", IMAGE, tool("a"))), 60)
        poller.add_registry(Registry("file", entry("One", IMAGE)), 60)
        await poller.refresh("file")
        found = await until(rows.workloads, bool)
        assert found["w"].registry_server_name == "One"

    async def test_at_the_start_workloads_wait_until_all_registries_were_added(self, poller, rows):
        poller.hold()
        poller.add_workloads(Workloads("thv", workload("w", IMAGE, tool("a"))), 60)
        poller.add_registry(Registry("file", entry("One", IMAGE)), 60)
        await poller.refresh("file")
        assert await rows.workloads() == {}
        poller.release()
        await poller.refresh("thv")
        assert (await rows.workloads())["w"].registry_server_name == "One"

    async def test_a_source_that_fails_says_why_and_takes_nothing_away(self, poller, rows):
        good, bad = Registry("good", entry("One", IMAGE)), Registry("bad")
        bad.error = Unavailable("nobody is there")
        poller.add_registry(good, 60)
        poller.add_registry(bad, 60)
        await poller.refresh("good")
        await poller.refresh("bad")
        assert list(await rows.registry()) == ["One"]
        by_name = {state.name: state for state in poller.states("registry")}
        assert (by_name["good"].error, by_name["bad"].error) == (None, "nobody is there")
        good.error = RuntimeError("a bug")
        state = await poller.refresh("good")
        assert state.error == "RuntimeError"
        assert list(await rows.registry()) == ["One"]
        good.error = None
        assert (await poller.refresh("good")).error is None

    async def test_a_refused_ingestion_is_told_and_is_not_taken_for_heard(self, poller):
        source = Registry("file", entry("One", IMAGE), entry("Two", IMAGE))
        poller.add_registry(source, 60)
        state = await poller.refresh("file")
        assert "One and Two" in state.error
        assert source.heard == 0

    async def test_a_source_that_is_removed_takes_with_it_what_it_said(self, poller, rows):
        poller.add_registry(Registry("file", entry("One", IMAGE)), 60)
        await poller.refresh("file")
        await poller.forget("file")
        assert await rows.registry() == {}
        assert poller.states("registry") == []
        with pytest.raises(NotFound):
            await poller.refresh("file")

    async def test_a_source_that_is_switched_off_leaves_what_it_said(self, poller, rows):
        poller.add_registry(Registry("file", entry("One", IMAGE)), 60)
        await poller.refresh("file")
        poller.remove("file")
        assert list(await rows.registry()) == ["One"]
        assert poller.states("registry") == []

    async def test_a_name_is_of_one_kind(self, poller):
        poller.add_registry(Registry("file"), 60)
        with pytest.raises(Conflict):
            poller.add_workloads(Workloads("file"), 60)
        with pytest.raises(Conflict):
            poller.add_registry(Registry("hand"), 60)
