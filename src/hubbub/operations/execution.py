"""How one of the hub's own operations is carried out, once it was looked up, allowed and valid."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from inspect import isasyncgen
from typing import Any

import msgspec

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Invalid
from hubbub.operations.context import Caller, Context, Nested, Reading, Writing
from hubbub.operations.operation import Nothing, Operation
from hubbub.protocol.envelope import local
from hubbub.storage.database import Database
from hubbub.storage.transaction import WriteTransaction


@dataclass(frozen=True, kw_only=True)
class Order:
    """One call of one operation."""

    operation: Operation
    input: bytes | msgspec.Raw
    caller: Caller
    call_id: str
    nested: Nested
    progress: Callable[[float, float | None, str], None]


class Executor:
    """Gives an operation the context that it asks for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def answers(self, order: Order) -> AsyncGenerator[bytes]:
        """The envelopes that the operation answers with: one, or many for a subscription."""
        operation = order.operation
        arguments = _arguments(operation, order.input)
        if operation.context is Reading:
            yield local(operation.spec.id, await self._read(order, arguments))
        elif operation.context is Writing:
            yield local(operation.spec.id, await self._write(order, arguments))
        else:
            async for answer in self._wait(order, arguments):
                yield local(operation.spec.id, answer)

    async def _read(self, order: Order, arguments: tuple[object, ...]) -> Any:
        async with self._database.reading() as tx:
            ctx = Reading(caller=order.caller, call_id=order.call_id, now=self._clock(), tx=tx)
            return await _awaited(order.operation.handler(ctx, *arguments))

    async def _write(self, order: Order, arguments: tuple[object, ...]) -> Any:
        now = self._clock()

        async def work(tx: WriteTransaction) -> object:
            ctx = Writing(caller=order.caller, call_id=order.call_id, now=now, tx=tx)
            return await _awaited(order.operation.handler(ctx, *arguments))

        return await self._database.write(work)

    async def _wait(self, order: Order, arguments: tuple[object, ...]) -> AsyncIterator[object]:
        ctx = Context(
            caller=order.caller,
            call_id=order.call_id,
            now=self._clock(),
            database=self._database,
            nested=order.nested,
            progress=order.progress,
        )
        result = order.operation.handler(ctx, *arguments)
        if isasyncgen(result):
            try:
                async for answer in result:
                    yield answer
            finally:
                await result.aclose()
        else:
            yield await _awaited(result)


async def _awaited(result: Any) -> object:
    answer: object = await result
    return answer


def _arguments(operation: Operation, raw: bytes | msgspec.Raw) -> tuple[object, ...]:
    """The typed input. The schema has let it pass; what is left are rules that it cannot say."""
    if operation.input is Nothing:
        return ()
    try:
        return (msgspec.json.decode(raw, type=operation.input),)
    except msgspec.ValidationError as error:
        expected, _, field = str(error).partition(" - at ")
        raise Invalid(
            "the input does not fit",
            errors=[{"field": field.strip("`").removeprefix("$."), "expected": expected}],
        ) from error
