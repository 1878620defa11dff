"""Shapes that inputs of the hub's own operations share."""

from datetime import datetime
from typing import Annotated

import msgspec

from hubbub.kernel.limits import PAGE_ITEMS_MAX


class Input(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An input: its fields in camelCase, and none that are not declared."""


Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_ITEMS_MAX, description="Items on a page.")]

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its time zone: without one nobody knows which moment is meant."""
