"""A value that comes and goes, and can be waited for."""

import asyncio
from typing import Generic, TypeVar

from hubbub.kernel.errors import HubError, from_wire

T = TypeVar("T")


class Presence(Generic[T]):
    """The connection of a `Hub`, the registration of a `Spoke`: there, not now, or never again."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._error: HubError | None = None
        self._changed = asyncio.Event()

    def set(self, value: T) -> None:
        if self._error is None:
            self._value = value
            self._changed.set()

    def clear(self) -> None:
        self._value = None
        if self._error is None:
            self._changed.clear()

    def fail(self, error: HubError) -> None:
        """It will not come again; everyone who waits for it is told why."""
        self._value, self._error = None, error
        self._changed.set()

    async def get(self) -> T:
        """The value, as soon as there is one.

        Raises:
            HubError: there will be none.
        """
        while self._value is None:
            if self._error is not None:
                # A fresh one: a raised exception collects the tracebacks of all who raise it.
                raise from_wire(self._error.name, self._error.message, self._error.details)
            await self._changed.wait()
        return self._value
