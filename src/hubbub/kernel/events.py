"""What happened, told after it was committed, at most once, to whoever wants to know."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

log = logging.getLogger(__name__)

E = TypeVar("E")
Listener = Callable[[object], None]


class Bus:
    """Delivers each event to the listeners of its type, in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: dict[type, list[Listener]] = {}

    def listen(self, kind: type[E], listener: Callable[[E], None]) -> Callable[[], None]:
        """Call `listener` for every event of `kind` from now on; the answer stops it."""
        listeners = self._listeners.setdefault(kind, [])
        listeners.append(listener)  # type: ignore[arg-type]  # only ever called with an E
        return lambda: listeners.remove(listener)  # type: ignore[arg-type]  # as above

    def publish(self, events: Iterable[object]) -> None:
        for event in events:
            for listener in tuple(self._listeners.get(type(event), ())):
                try:
                    listener(event)
                except Exception:
                    # One listener's bug must not keep the others, or the committer, from going on.
                    log.exception("a listener of %s failed", type(event).__name__)
