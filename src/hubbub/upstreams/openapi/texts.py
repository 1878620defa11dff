"""JSON and YAML texts to values, within bounds. No I/O.

A document is somebody else's. In YAML a few lines can stand for more than fits into memory, because
an alias repeats all that it names: what a text stands for is counted, and refused before anybody
walks through it. YAML is read as version 1.2 has it, where `no` is a country and `12:30` a text.
"""

import importlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from hubbub.kernel.errors import HubError, Invalid, TooLarge
from hubbub.protocol.codec import UNREADABLE

TEXT_BYTES_MAX: Final = 32 * 1024 * 1024
VALUES_MAX: Final = 4_000_000
"""Of what a text stands for, each alias counted in full."""
DEPTH_MAX: Final = 128

_CONSTANTS: Final[dict[str, object]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,30}")
_OTHER_INTEGER: Final = re.compile(r"0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_WHOLE_MAX: Final = 2**63


def read(text: str | bytes, *, at: str = "document") -> object:
    """What a text says.

    Raises:
        Invalid: if it is neither JSON nor YAML; names `at`.
        TooLarge: if it, or what it stands for, is too much.
    """
    if isinstance(text, str):
        text = text.encode(errors="replace")
    if len(text) > TEXT_BYTES_MAX:
        raise TooLarge("the document is too large", maximum=TEXT_BYTES_MAX, document=at)
    text = text.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in (b"{", b"["):
        try:
            value = msgspec.json.decode(text)
        except UNREADABLE:
            pass  # YAML looks like this as well
        else:
            _measure(value, at)
            return value
    return _Yaml(at).read(text)


def _measure(value: object, at: str) -> None:
    """See that a value can be walked through."""
    level, depth = [value], 0
    while level:
        if depth > DEPTH_MAX:
            raise _too_deep(at)
        depth += 1
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        level = below


@dataclass(kw_only=True)
class _Container:
    """A list or a mapping whose end has not come yet."""

    anchor: str | None
    items: list[object] | None = None
    fields: dict[str, object] | None = None
    merged: dict[str, object] = field(default_factory=dict)
    key: str | None = None
    """The name that waits for its value."""
    merges: bool = False
    size: int = 1

    @property
    def value(self) -> object:
        return self.items if self.fields is None else {**self.merged, **self.fields}


class _Yaml:
    """Builds one value from the events of a parser, by a stack of its own: what is nested deep
    would otherwise break the parser's."""

    def __init__(self, at: str) -> None:
        self._at = at
        self._anchors: dict[str, tuple[object, int] | None] = {}  # None while it is open
        self._stack: list[_Container] = []
        self._merged = 0
        self._whole: object = None

    def read(self, text: bytes) -> object:
        yaml: Any = importlib.import_module("yaml")  # JSON does without
        try:
            for event in yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
                kind = type(event).__name__
                if kind == "DocumentEndEvent":
                    break
                self._take(kind, event)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise self._unreadable(" ".join(str(error).split())[:300]) from error
        return self._whole

    def _take(self, kind: str, event: Any) -> None:
        match kind:
            case "ScalarEvent":
                self._scalar(event)
            case "AliasEvent":
                known = self._anchors.get(event.anchor)
                if known is None:
                    raise self._unreadable(f"the alias {event.anchor[:100]} stands for nothing yet")
                self._put(*known)
            case "SequenceStartEvent":
                self._open(_Container(anchor=event.anchor, items=[]))
            case "MappingStartEvent":
                self._open(_Container(anchor=event.anchor, fields={}))
            case "SequenceEndEvent" | "MappingEndEvent":
                done = self._stack.pop()
                value = done.value
                if done.anchor:
                    self._anchors[done.anchor] = value, done.size
                self._put(value, done.size)

    def _scalar(self, event: Any) -> None:
        inside = self._stack[-1] if self._stack else None
        if inside is not None and inside.fields is not None and inside.key is None:
            inside.key = event.value
            inside.merges = event.value == "<<" and not event.style
            return
        value = _scalar(event.value, bool(event.style))
        if event.anchor:
            self._anchors[event.anchor] = value, 1
        self._put(value, 1)

    def _open(self, container: _Container) -> None:
        if len(self._stack) > DEPTH_MAX:
            raise _too_deep(self._at)
        if self._stack and self._stack[-1].fields is not None and self._stack[-1].key is None:
            raise self._unreadable("a key is not a text")
        if container.anchor:
            self._anchors[container.anchor] = None
        self._stack.append(container)

    def _put(self, value: object, size: int) -> None:
        """A value is complete; it goes where it stands."""
        if not self._stack:
            self._whole = value
            return
        inside = self._stack[-1]
        inside.size = self._bounded(inside.size + size)
        if inside.fields is None:
            assert inside.items is not None
            inside.items.append(value)
            return
        if inside.key is None:
            raise self._unreadable("a key is not a text")
        if inside.merges:
            self._merge(inside, value)
        else:
            inside.fields[inside.key] = value
        inside.key, inside.merges = None, False

    def _merge(self, inside: _Container, value: object) -> None:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                inside.merged = {**each, **inside.merged}
                self._merged = self._bounded(self._merged + len(inside.merged))

    def _bounded(self, size: int) -> int:
        if size > VALUES_MAX:
            raise TooLarge(
                "the document stands for too much", maximum=VALUES_MAX, document=self._at
            )
        return size

    def _unreadable(self, reason: str) -> HubError:
        return Invalid(
            "the document is neither JSON nor YAML",
            errors=[{"field": self._at, "expected": "JSON or YAML", "got": reason}],
        )


def _scalar(text: str, quoted: bool) -> object:
    if quoted:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return _whole(int(text))
    if _OTHER_INTEGER.fullmatch(text):
        return _whole(int(text, 0))
    return float(text) if _NUMBER.fullmatch(text) else text


def _whole(number: int) -> int | float:
    # More than 64 bits nobody on the way can write.
    return number if -_WHOLE_MAX <= number < 2 * _WHOLE_MAX else float(number)


def _too_deep(at: str) -> HubError:
    return TooLarge("the document is nested too deep", maximum=DEPTH_MAX, document=at)
