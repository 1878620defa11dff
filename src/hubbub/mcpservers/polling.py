"""Asking sources again and again, each at its own pace, none of them in another's way."""

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Literal

import anyio
from anyio.abc import TaskGroup

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Conflict, HubError, Invalid, NotFound
from hubbub.mcpservers.ingestion import Ingestion
from hubbub.mcpservers.model import BY_HAND
from hubbub.mcpservers.report import Report
from hubbub.mcpservers.snapshots import RegistrySnapshot, WorkloadSnapshot
from hubbub.mcpservers.sources import RegistrySource, WorkloadSource

log = logging.getLogger(__name__)

Kind = Literal["registry", "workload"]

AT_ONCE: Final = 4
TURN_S: Final = 300.0
PAUSE_S: Final = 5.0
REGISTRIES_FIRST_S: Final = 30.0
"""How long workloads wait at the start for what they could be linked to."""
SOURCES_MAX: Final = 200
UNFIT_S: Final = 3600.0


@dataclass
class State:
    """How it goes with a source."""

    name: str
    kind: Kind
    every_s: float
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    error: str | None = None
    """Why it could not be asked the last time."""
    failures: int = 0
    """In a row."""
    report: Report = field(default_factory=Report)
    """Of the last answer that changed something, or was refused in part."""


@dataclass
class _Polled:
    ask: Callable[[], Awaitable[Report | None]]
    state: State
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    tried: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Poller:
    """Asks all sources, and brings what they say into the rows."""

    def __init__(
        self,
        ingestion: Ingestion,
        clock: Clock,
        tasks: TaskGroup,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ingestion = ingestion
        self._clock = clock
        self._tasks = tasks
        self._chance = chance
        self._polled: dict[str, _Polled] = {}
        self._turns = anyio.Semaphore(AT_ONCE)
        self._begun = anyio.Event()
        self._begun.set()

    def hold(self) -> None:
        """Registries are about to be added: workloads wait until `release`, or half a minute."""
        self._begun = anyio.Event()

    def release(self) -> None:
        """The registries that there are at the start were added."""
        self._begun.set()

    def add_registry(self, source: RegistrySource, every_s: float) -> None:
        """Ask a registry from now on, in place of the source of this name if there is one."""
        self._add(partial(self._registry, source), source.name, "registry", every_s)

    def add_workloads(self, source: WorkloadSource, every_s: float) -> None:
        """Ask for workloads from now on, in place of the source of this name if there is one."""
        self._add(partial(self._workloads, source), source.name, "workload", every_s)

    def unfit(self, name: str, kind: Kind, why: str) -> None:
        """Ask a source no more, which cannot be asked as it is configured, and say so."""

        async def ask() -> Report | None:
            raise Invalid(why, source=name)

        self._add(ask, name, kind, UNFIT_S)

    def remove(self, name: str) -> None:
        """Ask a source no more. What it said stays."""
        polled = self._polled.pop(name, None)
        if polled is not None:
            polled.scope.cancel()

    async def forget(self, name: str) -> None:
        """Ask a source no more, and delete what it said."""
        polled = self._polled.get(name)
        self.remove(name)
        async with polled.turn if polled is not None else nullcontext():
            await self._ingestion.registry(RegistrySnapshot(source=name, servers=()))
            await self._ingestion.workloads(WorkloadSnapshot(source=name, workloads=()))

    async def refresh(self, name: str) -> State:
        """Ask a source now.

        Raises:
            NotFound: if there is no such source.
        """
        polled = self._polled.get(name)
        if polled is None:
            raise NotFound(f"no source {name}", source=name)
        if polled.state.kind == "workload" and not polled.tried.is_set():
            await polled.tried.wait()  # it is about to be asked for the first time
        else:
            await self._turn(polled)
        return polled.state

    def states(self, kind: Kind) -> list[State]:
        """How it goes with the sources of a kind, in the order of their names."""
        return [
            polled.state for _, polled in sorted(self._polled.items()) if polled.state.kind == kind
        ]

    async def mend(self) -> None:
        """Try again what could not be embedded."""
        await self._ingestion.mend()

    def _add(
        self, ask: Callable[[], Awaitable[Report | None]], name: str, kind: Kind, every_s: float
    ) -> None:
        if name == BY_HAND:
            raise Conflict(f"{name} is what was added by hand", source=name)
        before = self._polled.get(name)
        if before is not None:
            if before.state.kind != kind:
                raise Conflict(f"{name} is a source of the other kind", source=name)
            before.scope.cancel()
        elif len(self._polled) == SOURCES_MAX:
            raise Conflict("there are too many sources", maximum=SOURCES_MAX)
        polled = _Polled(ask=ask, state=State(name=name, kind=kind, every_s=every_s))
        self._polled[name] = polled
        self._tasks.start_soon(self._ask_for_ever, polled)

    async def _ask_for_ever(self, polled: _Polled) -> None:
        try:
            with polled.scope:
                if polled.state.kind == "workload":
                    await self._registries_first()
                while True:
                    await self._turn(polled)
                    polled.tried.set()
                    await anyio.sleep(self._pause_s(polled.state))
        finally:
            # Nobody is to wait for one that is asked no more.
            polled.tried.set()

    async def _registries_first(self) -> None:
        """What is matched only once should have something to be matched with."""
        with anyio.move_on_after(REGISTRIES_FIRST_S):
            await self._begun.wait()
            for each in list(self._polled.values()):
                if each.state.kind == "registry":
                    await each.tried.wait()

    def _pause_s(self, state: State) -> float:
        """Sources that were added together are not asked together for ever."""
        pause_s = state.every_s
        if state.failures:
            pause_s = min(pause_s, PAUSE_S * 2 ** min(state.failures - 1, 16))
        return pause_s * (0.9 + 0.2 * self._chance())

    async def _turn(self, polled: _Polled) -> None:
        """Ask once. Whatever goes wrong is this source's own affair, and stands in its state."""
        state = polled.state
        async with polled.turn, self._turns:
            state.asked_at = self._clock()
            try:
                with anyio.fail_after(TURN_S):
                    report = await polled.ask()
            except TimeoutError:
                self._failed(state, "it took too long")
            except HubError as error:
                self._failed(state, error.message)
            except Exception as error:
                # A bug of one source must not keep the others from being asked.
                log.exception("source %s failed", state.name)
                self._failed(state, type(error).__name__)
            else:
                state.answered_at, state.error, state.failures = self._clock(), None, 0
                if report is not None:
                    state.report = report

    async def _registry(self, source: RegistrySource) -> Report | None:
        snapshot = await source.snapshot()
        if snapshot is None:
            return None
        report = await self._ingestion.registry(snapshot)
        source.accepted()
        return report

    async def _workloads(self, source: WorkloadSource) -> Report:
        return await self._ingestion.workloads(await source.snapshot())

    def _failed(self, state: State, why: str) -> None:
        if state.error != why:
            log.warning("source %s: %s", state.name, why)
        state.error, state.failures = why, state.failures + 1
