"""The call graph, written in batches off the busiest path.

A call that begins and ends between two batches costs one row. One that lasts is seen as `pending`
or `running` from the next batch on. What the graph has answered for is committed, and so survives a
crash; `close` makes sure of the rest before the hub leaves.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final

import anyio

from hubbub.calls import store
from hubbub.calls.store import CallRow, call_row
from hubbub.operations.recording import CallRecord
from hubbub.storage.database import Database
from hubbub.storage.transaction import ConstraintViolated, Unkeepable

log = logging.getLogger(__name__)

BATCH_S: Final = 0.1
BATCH_CALLS_MAX: Final = 2000
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
BEHIND_CALLS: Final = 50_000
BEHIND_BYTES: Final = 128 * 1024 * 1024
RETRY_S: Final = 0.5
LAST_TRIES_S: Final = 10.0
"""How long a hub that leaves tries to write what is left, where the database refuses."""


class CallGraph:
    """A `Recorder` that keeps every call."""

    def __init__(self, database: Database, record_bytes_max: int) -> None:
        self._database = database
        self._record_bytes_max = record_bytes_max
        # In the order in which they began, so that no child is written before its parent. A call
        # that has ended is kept as no more than its row: what it said may be large.
        self._changed: dict[str, CallRecord | CallRow] = {}
        self._bytes = 0  # of the rows among them
        self._known: set[str] = set()  # calls that are in flight in the graph, too
        self._writing = 0  # calls of the batch that is under way
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._hurry = asyncio.Event()  # somebody waits for what is not yet written
        self._closing = False
        self._gives_up_s = 0.0  # monotonic; from `close` on

    @property
    def behind(self) -> bool:
        return len(self._changed) > BEHIND_CALLS or self._bytes > BEHIND_BYTES

    @property
    def waiting(self) -> int:
        """Calls whose latest state is not yet written."""
        return len(self._changed) + self._writing

    def began(self, call: CallRecord) -> None:
        self._changed[call.id] = call
        self._wake.set()

    def ended(self, call: CallRecord) -> None:
        row = call_row(call, self._record_bytes_max)
        self._changed[call.id] = row
        self._bytes += row.bytes
        self._wake.set()

    async def run(self) -> None:
        """Write until `close`, and then what is left."""
        while not (self._closing and not self._changed):
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                with anyio.move_on_after(BATCH_S):  # what comes meanwhile shares the commit
                    await self._hurry.wait()
                self._hurry.clear()
            # A call that is caught in flight costs a second row: nothing but a full batch, or the
            # end, is a reason not to wait.
            await self._write_batch()
            while self._changed and (self._closing or self._full):
                written = await self._write_batch()
                if not written and self._closing and time.monotonic() > self._gives_up_s:
                    log.error("%d calls are lost to the call graph", len(self._changed))
                    self._changed.clear()
                    self._bytes = 0
            if self._changed:
                self._wake.set()
            else:
                self._drained.set()

    async def settled(self) -> None:
        """Wait until everything that has happened is written."""
        while self.waiting:
            self._hurry.set()
            self._drained.clear()
            await self._drained.wait()

    def close(self) -> None:
        """Write what is left and come back from `run`."""
        self._closing = True
        self._hurry.set()
        self._gives_up_s = time.monotonic() + LAST_TRIES_S
        self._wake.set()

    @property
    def _full(self) -> bool:
        """Whether what there is makes a whole batch."""
        return len(self._changed) >= BATCH_CALLS_MAX or self._bytes >= BATCH_BYTES_MAX

    async def _write_batch(self) -> bool:
        """Write some of what there is. Whether that went well."""
        rows = self._taken()
        self._writing = len(rows)
        try:
            await self._write(rows)
        except Exception:
            log.exception("the call graph could not be written; trying again")
            self._put_back(rows)
            await asyncio.sleep(RETRY_S)
            return False
        finally:
            self._writing = 0
        for row in rows:
            if row.ended:
                self._known.discard(row.id)
            else:
                self._known.add(row.id)
        return True

    def _taken(self) -> list[CallRow]:
        """A batch of what there is, oldest first."""
        rows: list[CallRow] = []
        size = 0
        for id in list(islice(self._changed, BATCH_CALLS_MAX)):
            if size >= BATCH_BYTES_MAX:
                break
            row = self._changed.pop(id)
            if isinstance(row, CallRow):
                self._bytes -= row.bytes
            else:
                row = call_row(row, self._record_bytes_max)
            size += row.bytes
            rows.append(row)
        return rows

    def _put_back(self, rows: Sequence[CallRow]) -> None:
        """Where it was; what has happened since stands."""
        self._changed = {**{row.id: row for row in rows}, **self._changed}
        self._bytes = sum(row.bytes for row in self._changed.values() if isinstance(row, CallRow))

    async def _write(self, rows: Sequence[CallRow]) -> None:
        try:
            await self._database.write(lambda tx: store.write(tx, rows, self._known))
        except (ConstraintViolated, Unkeepable):
            # An operation or an account was removed in the middle of a call, or something was said
            # that the database cannot keep. The others must not suffer for it.
            for row in rows:
                await self._write_one(row)

    async def _write_one(self, row: CallRow) -> None:
        """Keep what can be kept."""
        try:
            try:
                await self._database.write(partial(store.write_uprooted, row=row))
            except Unkeepable:
                await self._database.write(partial(store.write_uprooted, row=row.emptied()))
        except (ConstraintViolated, Unkeepable):
            log.exception("call %s could not be written", row.id)
