"""What the demo's own spoke offers: little functions that call others, answer often, or wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from hubbub.client import CallContext, Spoke

FILES: Final = 3
FILE_BYTES_MAX: Final = 256 * 1024
HANDS: Final = 3


class Offers:
    """The functions, and what the demo wants to know of them."""

    def __init__(self) -> None:
        self.busy = asyncio.Event()
        """Set when all hands of a build are at work."""
        self._working = 0
        self._never = asyncio.Event()

    def spoke(self) -> Spoke:
        spoke = Spoke("demo", type="compute")
        for function in (self.survey, self.count, self.build, self.work):
            spoke.operation(namespace="demo", shared=True)(function)
        return spoke

    async def survey(self, ctx: CallContext) -> dict[str, int]:
        """Count the lines of a few files of a folder, which another spoke lists and reads."""
        listed = await ctx.call("dev.fs.list")
        files = [
            entry["path"]
            for entry in listed["entries"]
            if entry["type"] == "file" and entry["sizeBytes"] <= FILE_BYTES_MAX
        ][:FILES]
        read = await asyncio.gather(*(ctx.call("dev.fs.read", {"path": path}) for path in files))
        return {"files": len(read), "lines": sum(each["totalLines"] for each in read)}

    async def count(self, to: int) -> AsyncIterator[int]:
        """Count, an answer for each number."""
        for number in range(1, to + 1):
            yield number

    async def build(self, ctx: CallContext) -> None:
        """Have a long work done by several hands."""
        await asyncio.gather(*(ctx.call("demo.work", {"hand": hand}) for hand in range(HANDS)))

    async def work(self, hand: int) -> None:
        """Work for longer than anybody will wait."""
        self._working += 1
        if self._working == HANDS:
            self.busy.set()
        await self._never.wait()
