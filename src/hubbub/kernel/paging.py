"""Pages of a list: a bound, and an opaque cursor that says where the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from hubbub.kernel.errors import Invalid

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """One page. `nextCursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


def page_of(found: Sequence[T], limit: int, keys: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """The first `limit` of what was found when one more was asked for.

    Args:
        keys: the sort keys of an item, of which the cursor is made.
    """
    items = list(found[:limit])
    more = len(found) > limit
    return Page(items=items, next_cursor=encode_cursor(*keys(items[-1])) if more else None)


def encode_cursor(*keys: str) -> str:
    """The cursor after the row with these sort keys."""
    return base64.urlsafe_b64encode(msgspec.json.encode(keys)).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[str]:
    """The sort keys that a cursor was made of.

    Raises:
        Invalid: if it is not a cursor of this list.
    """
    try:
        keys = msgspec.json.decode(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[str]
        )
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise _no_cursor(cursor) from error
    if len(keys) != length:
        raise _no_cursor(cursor)
    return keys


def decode_moment(cursor: str) -> tuple[datetime, str]:
    """The moment and the id that a cursor of a list by time was made of.

    Raises:
        Invalid: if it is not a cursor of such a list.
    """
    at, id = decode_cursor(cursor, 2)
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise _no_cursor(cursor)
        return moment.astimezone(UTC), id
    except (ValueError, OverflowError) as error:  # in UTC it may be in the year 0, or in 10000
        raise _no_cursor(cursor) from error


def decode_score(cursor: str) -> tuple[float, str]:
    """The score and the id that a cursor of a ranking was made of.

    Raises:
        Invalid: if it is not a cursor of a ranking.
    """
    score, id = decode_cursor(cursor, 2)
    try:
        return float(score), id
    except ValueError as error:
        raise _no_cursor(cursor) from error


def _no_cursor(cursor: str) -> Invalid:
    return Invalid(
        "that is not a cursor of this list",
        errors=[{"field": "cursor", "expected": "a nextCursor of this list", "got": cursor[:100]}],
    )
