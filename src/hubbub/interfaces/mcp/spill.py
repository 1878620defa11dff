"""Results that are too large to be handed to a model at once: kept for a while and read in
parts."""

import asyncio
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from hubbub.kernel.errors import Invalid, NotFound, TooLarge

PART_BYTES: Final = 32 * 1024
"""What a model is handed at once: about eight thousand tokens."""
KEPT_S: Final = 900.0
ACCOUNT_BYTES_MAX: Final = 32 * 1024 * 1024
BYTES_MAX: Final = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Kept:
    account_id: str
    text: bytes
    until_s: float


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a result."""

    handle: str
    text: str
    bytes_total: int
    next_cursor: str | None
    """Where the next part begins; None with the last one."""


class Spill:
    """The results that are kept: bounded for each account and in all, the oldest go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes: Counter[str] = Counter()

    @property
    def size(self) -> int:
        """How much is kept."""
        return self._bytes.total()

    def keep(self, account_id: str, text: bytes) -> Part:
        """Keep a result; its first part.

        Raises:
            TooLarge: if nobody may keep so much.
        """
        if len(text) > ACCOUNT_BYTES_MAX:
            raise TooLarge(
                "the result is too large to be kept", bytes=len(text), maximum=ACCOUNT_BYTES_MAX
            )
        now_s = asyncio.get_running_loop().time()
        self._make_room(account_id, len(text), now_s)
        handle = f"r_{secrets.token_urlsafe(12)}"
        self._kept[handle] = _Kept(account_id=account_id, text=text, until_s=now_s + KEPT_S)
        self._bytes[account_id] += len(text)
        return self.part(account_id, handle, None)

    def part(self, account_id: str, handle: str, cursor: str | None) -> Part:
        """The part of a kept result that begins at the cursor.

        Raises:
            NotFound: if it is not kept, or not any more.
            Invalid: if no part begins there.
        """
        kept = self._kept.get(handle)
        now_s = asyncio.get_running_loop().time()
        if kept is None or kept.account_id != account_id or kept.until_s < now_s:
            raise NotFound("no result is kept under this handle; call the tool again")
        start = _start(kept.text, cursor)
        end = _boundary(kept.text, start + PART_BYTES)
        return Part(
            handle=handle,
            text=kept.text[start:end].decode(),
            bytes_total=len(kept.text),
            next_cursor=str(end) if end < len(kept.text) else None,
        )

    def _make_room(self, account_id: str, size: int, now_s: float) -> None:
        for handle, kept in list(self._kept.items()):
            mine = kept.account_id == account_id
            if kept.until_s < now_s or (
                mine and self._bytes[account_id] + size > ACCOUNT_BYTES_MAX
            ):
                self._drop(handle)
        while self._kept and self.size + size > BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def _drop(self, handle: str) -> None:
        kept = self._kept.pop(handle)
        self._bytes[kept.account_id] -= len(kept.text)
        if not self._bytes[kept.account_id]:
            del self._bytes[kept.account_id]


def _start(text: bytes, cursor: str | None) -> int:
    if cursor is None:
        return 0
    start = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 12 else -1
    if not 0 <= start < len(text) or _boundary(text, start) != start:
        errors = [{"field": "cursor", "expected": "a nextCursor of this result"}]
        raise Invalid("no part of the result begins there", errors=errors)
    return start


def _boundary(text: bytes, at: int) -> int:
    """The end of the last whole character before `at`."""
    if at >= len(text):
        return len(text)
    while at > 0 and text[at] & 0xC0 == 0x80:
        at -= 1
    return at
