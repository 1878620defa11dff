"""What happened to a connection lately, and what its server said of it: the last lines, no more."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from hubbub.kernel.clock import epoch_ms

LINES_MAX: Final = 500
LINE_CHARS_MAX: Final = 2000
SECRET_CHARS_MIN: Final = 6

Origin = Literal["hub", "stderr", "stdout"]


class LogLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line, when it came, and from where: the server's own output, or the hub about it."""

    timestamp: int  # epoch milliseconds
    origin: Origin
    text: str


class Logs:
    """The last lines of one upstream. Secrets that it was given are not kept."""

    def __init__(self, more: Callable[[], Iterable[str]] = tuple) -> None:
        self._more = more  # secrets that change
        self._lines: deque[LogLine] = deque(maxlen=LINES_MAX)
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on lines say `***` where these stood."""
        self._secrets = tuple(each for each in secrets if len(each) >= SECRET_CHARS_MIN)

    def add(self, origin: Origin, text: str) -> None:
        text = self.hidden(text)[:LINE_CHARS_MAX]
        line = LogLine(timestamp=epoch_ms(), origin=origin, text=text)
        self._lines.append(line)

    def hidden(self, text: str) -> str:
        """A text without the secrets."""
        for secret in (*self._secrets, *self._more()):
            text = text.replace(secret, "***")
        return text

    def last(self, count: int) -> list[LogLine]:
        return list(self._lines)[-count:]
