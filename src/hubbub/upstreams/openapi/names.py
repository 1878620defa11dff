"""Names under which the parts of an API are known to the hub. No I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hubbub.kernel.limits import NAME_CHARS_MAX
from hubbub.protocol.specs import NAME

LENGTH_MAX: Final = NAME_CHARS_MAX - 8
"""A number may come behind it."""
FIELD: Final = r"[A-Za-z0-9_.-]{1,56}"
"""What models take as the name of a field: 64 of these, and a number may come behind it."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One method of one path."""

    method: str
    path: str
    operation_id: str | None


class Names:
    """Names that are given once."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}  # of each name, the last number behind it

    def new(self, *wanted: str) -> str:
        """The first of these that is free, else the last of them with a number behind it."""
        for name in wanted:
            if name not in self._last:
                self._last[name] = 1
                return name
        last = wanted[-1]
        while (name := f"{last}_{self._last[last] + 1}") in self._last:
            self._last[last] += 1
        self._last[last] += 1
        self._last[name] = 1
        return name


def operation_names(endpoints: Sequence[Endpoint]) -> list[str]:
    """A name for each, none twice, and the same ones whenever the document is read again.

    Who brings a name that fits keeps it; the others make way.
    """
    given: dict[int, str] = {}
    names = Names()
    for n in sorted(range(len(endpoints)), key=lambda n: _rank(endpoints[n])):
        endpoint = endpoints[n]
        fit = fitted(endpoint.operation_id or "")
        given[n] = names.new(*([fit] if fit else _by_path(endpoint)))
    return [given[n] for n in range(len(endpoints))]


def _rank(endpoint: Endpoint) -> tuple[int, int]:
    if not endpoint.operation_id or not fitted(endpoint.operation_id):
        return 2, endpoint.path.count("{")
    return int(re.fullmatch(NAME, endpoint.operation_id) is None), 0


def _by_path(endpoint: Endpoint) -> list[str]:
    """`get_users` for `GET /users/{id}`, or where that is taken, `get_users_by_id`."""
    parts = [part for part in endpoint.path.split("/") if part]
    plain = [fitted(part) for part in parts if "{" not in part]
    given = [fitted(part) for part in parts if "{" in part]
    short = "_".join([endpoint.method, *filter(None, plain or ["root"])])[:LENGTH_MAX]
    long = "_".join([short, "by", *filter(None, given)])[:LENGTH_MAX]
    return [short, long] if given else [short]


def fitted(text: str) -> str:
    """A text as a name: what cannot stand in one becomes `_`. Empty where nothing is left."""
    if len(text) <= LENGTH_MAX and re.fullmatch(NAME, text):
        return text
    made = re.sub(r"[^A-Za-z0-9-]+", "_", text[: 4 * LENGTH_MAX]).strip("_-")
    if made and not made[0].isalpha():
        made = f"op_{made}"
    return made[:LENGTH_MAX]


def field_names(name: str, location: str) -> tuple[str, str]:
    """What a parameter may be called as a field of the input, where all stand side by side."""
    made = name
    if not re.fullmatch(FIELD, name):
        made = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_")[:48] or "field"
    return made[:56], f"{location}_{made}"[:56]
