"""Where the references in a schema lead. No I/O.

Asked about schemas that a validator has taken, so every reference in them leads somewhere.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urldefrag, urljoin

REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_HERE: Final = "http://here/"
_META: Final = ("https://json-schema.org/draft/", "http://json-schema.org/draft-")
"""Schemas of schemas. A validator has them at hand."""


class References:
    """The parts of one schema, by the names under which they can be referred to."""

    def __init__(self, root: object) -> None:
        draft = root.get("$schema") if isinstance(root, dict) else None
        self._id = "id" if "draft-04" in str(draft) else "$id"
        self._root = root
        self._resources: defaultdict[str, list[object]] = defaultdict(list, {_HERE: [root]})
        self._anchors: defaultdict[tuple[str, str], list[object]] = defaultdict(list)
        self._dynamic: defaultdict[str, list[object]] = defaultdict(list)
        self._bases: dict[int, str] = {}  # the resource of each part, by the part's identity
        self._note(root, _HERE)

    def targets(self, schema: dict[str, object]) -> Iterator[object]:
        """What this part refers to; a list where it is one of several.

        Raises:
            LookupError, ValueError: if that cannot be told.
        """
        for word in REFERENCES:
            reference = schema.get(word)
            if isinstance(reference, str):
                url, fragment = urldefrag(urljoin(self._bases[id(schema)], reference))
                if word == "$dynamicRef" and fragment in self._dynamic:
                    yield self._dynamic[fragment]
                elif not self._is_meta(url, fragment):
                    yield self._target(url, unquote(fragment))

    def _note(self, part: object, base: str) -> None:
        if isinstance(part, dict):
            base = self._bases[id(part)] = self._named(part, base)
            part = list(part.values())
        if isinstance(part, list):
            for below in part:
                self._note(below, base)

    def _named(self, part: dict[str, object], base: str) -> str:
        """Keep a part under its names. The resource to which it belongs."""
        own = part.get(self._id)
        if isinstance(own, str):
            url, fragment = urldefrag(urljoin(base, own))
            if fragment:  # an anchor, as older drafts write it
                self._anchors[url, fragment].append(part)
            else:
                self._resources[url].append(part)
                base = url
        for word in ("$anchor", "$dynamicAnchor"):
            anchor = part.get(word)
            if isinstance(anchor, str):
                self._anchors[base, anchor].append(part)
                if word == "$dynamicAnchor":
                    self._dynamic[anchor].append(part)
        return base

    def _is_meta(self, url: str, fragment: str) -> bool:
        # Where parts have addresses of their own, one of them could pass for another's.
        alone = all(part is self._root for found in self._resources.values() for part in found)
        return alone and not fragment and url.startswith(_META)

    def _target(self, url: str, fragment: str) -> object:
        if fragment and not fragment.startswith("/"):
            (found,) = self._anchors[url, fragment]  # a name that two have says too little
            return found
        (found,) = self._resources[url]
        for step in fragment.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(key)]
            elif isinstance(found, dict):
                found = found[key]
            else:
                raise LookupError(key)
        return found
