"""An OpenAPI document with all that it refers to, and where each reference leads."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import anyio.to_thread

from hubbub.kernel.errors import AccessDenied, Invalid, TooLarge
from hubbub.upstreams.openapi.texts import TEXT_BYTES_MAX, read
from hubbub.upstreams.openapi.upgrade import upgraded

Fetch = Callable[[str], Awaitable[bytes]]
"""Reads what is at a URL; `HubError` where it cannot."""

PARTS_MAX: Final = 500
STEPS_MAX: Final = 50
"""From one reference to the next, until something stands there."""
Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A part of a document, and where it stands: references in it are read from there."""

    value: Any
    url: str
    pointer: str

    def at(self, *steps: str | int) -> "Place":
        """A part of this part; None where there is nothing."""
        value, pointer = self.value, self.pointer
        for step in steps:
            value = _below(value, step)
            pointer = f"{pointer}/{escaped(str(step))}"
        return Place(value=value, url=self.url, pointer=pointer)

    @property
    def fields(self) -> Fields:
        """What it says, if it is an object."""
        return self.value if isinstance(self.value, dict) else {}

    def each(self, *steps: str) -> Iterator[tuple[str, "Place"]]:
        """The parts of a part by name, or by number."""
        inside = self.at(*steps)
        if isinstance(inside.value, dict):
            yield from ((name, inside.at(name)) for name in inside.value)
        elif isinstance(inside.value, list):
            yield from ((str(n), inside.at(n)) for n in range(len(inside.value)))


class Document:
    """A document and the others that it refers to, all read."""

    def __init__(self, url: str, parts: Mapping[str, object]) -> None:
        self.url = url
        self._parts = parts
        self.root = Place(value=parts[url], url=url, pointer="")
        if not isinstance(self.root.value, dict) or not isinstance(self.version, str):
            raise _unfit("an object with `openapi`: 3.0 or 3.1")
        if not self.version.startswith("3."):
            raise _unfit(f"version 2.0, 3.0 or 3.1, not {self.version[:20]}")

    @property
    def version(self) -> Any:
        return self.root.value.get("openapi")

    @property
    def older(self) -> bool:
        """Whether schemas are written in the way of 3.0, and not as JSON Schema has it."""
        return bool(self.version.startswith("3.0"))

    def found(self, place: Place) -> Place:
        """What stands there, after all references that lead on from it.

        Raises:
            Invalid: if they lead nowhere, or round in a circle.
        """
        for _ in range(STEPS_MAX):
            reference = place.fields.get("$ref")
            if not isinstance(reference, str):
                return place
            place = self.target(place, reference)
        raise _lost(place.fields.get("$ref"), "an end")

    def target(self, place: Place, reference: str) -> Place:
        """The part to which a reference that stands at `place` leads.

        Raises:
            Invalid: if there is none.
        """
        url, fragment = urldefrag(resolved(place.url, reference))
        if url not in self._parts:
            raise _lost(reference, "a document that was read")
        value, pointer = self._parts[url], unquote(fragment)
        for step in pointer.split("/")[1:]:
            value = _below(value, step.replace("~1", "/").replace("~0", "~"))
        if value is None or (pointer and not pointer.startswith("/")):
            raise _lost(reference, "something that is there")
        return Place(value=value, url=url, pointer=pointer)


async def loaded(
    text: str | bytes,
    url: str = "",
    fetch: Fetch | None = None,
    given: Mapping[str, bytes] | None = None,
) -> Document:
    """A document, and with it what it refers to elsewhere.

    Args:
        url: where it stands; references and servers are read from there. Without it, what it
            refers to goes by relative paths.
        fetch: reads what is referred to and stands beside the document; without it, a reference
            to elsewhere leads nowhere.
        given: what is referred to and need not be read, by its URL.

    Raises:
        AccessDenied: if it refers to what is neither given nor beside it.
        Invalid: if it is no OpenAPI document.
        TooLarge: if it is too much.
    """
    url = urldefrag(url).url
    # Megabytes of YAML take seconds, and others want to be served meanwhile.
    root = await anyio.to_thread.run_sync(read, text)
    parts: dict[str, object] = {url: upgraded(root)}
    wanted = await anyio.to_thread.run_sync(_elsewhere, url, root)
    size = len(text)
    while wanted and fetch is not None:
        place = wanted.pop()
        if place in parts:
            continue
        if len(parts) >= PARTS_MAX:
            raise TooLarge("the document has too many parts", maximum=PARTS_MAX)
        part = (given or {}).get(place)
        if part is None:
            part = await _fetched(fetch, url, place)
        size += len(part)
        if size > TEXT_BYTES_MAX:
            raise TooLarge("the document and its parts are too large", maximum=TEXT_BYTES_MAX)
        parts[place] = await anyio.to_thread.run_sync(_part, part, place)
        wanted |= await anyio.to_thread.run_sync(_elsewhere, place, parts[place])
    return Document(url, parts)


async def _fetched(fetch: Fetch, url: str, place: str) -> bytes:
    if not beside(url, place):
        raise AccessDenied(
            "the document refers to what is not beside it, and was not given in `parts`",
            reference=place[:500],
        )
    return await fetch(place)


def beside(document: str, other: str) -> bool:
    """Whether `other` may be read for `document`'s sake: on the same server, or, where that is a
    folder, in it. Whoever writes a document must not make the hub read what he cannot."""
    one, two = urlsplit(document), urlsplit(other)
    if (one.scheme, one.netloc) != (two.scheme, two.netloc):
        return False
    if one.scheme in ("http", "https"):
        return True
    folder, slash, _ = one.path.rpartition("/")
    inside = two.path.startswith(folder + slash) and two.path.startswith("/") == bool(slash)
    return inside and ".." not in unquote(two.path).split("/")


def resolved(base: str, reference: str) -> str:
    """A reference, read from where it stands."""
    if reference.startswith("#"):
        return base + reference
    try:
        return urljoin(base, reference)
    except ValueError:  # brackets that are no address
        return reference


def escaped(step: str) -> str:
    """A name as a JSON pointer has it."""
    return step.replace("~", "~0").replace("/", "~1")


def _part(text: bytes, url: str) -> object:
    return read(text, at=url)


def _elsewhere(url: str, root: object) -> set[str]:
    """The URLs of other documents to which this one refers."""
    wanted: set[str] = set()
    level: list[object] = [root]
    seen: set[int] = set()  # an alias stands in several places
    while level:
        each = level.pop()
        if not isinstance(each, (dict, list)) or id(each) in seen:
            continue
        seen.add(id(each))
        level.extend(each.values() if isinstance(each, dict) else each)
        reference = each.get("$ref") if isinstance(each, dict) else None
        if isinstance(reference, str) and not reference.startswith("#"):
            wanted.add(urldefrag(resolved(url, reference)).url)
    return wanted - {url}


def _below(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    if isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None


def _unfit(expected: str) -> Invalid:
    return Invalid(
        "that is no OpenAPI document", errors=[{"field": "document", "expected": expected}]
    )


def _lost(reference: object, expected: str) -> Invalid:
    return Invalid(
        "a reference leads nowhere",
        errors=[{"field": "$ref", "expected": expected, "got": str(reference)[:500]}],
    )
