"""JSON with comments, as editors keep their settings: read with the place of every value, and
changed at one place without touching the rest. No I/O."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hubbub.kernel.errors import Invalid

DEPTH_MAX: Final = 200
INDENT: Final = "  "

_TRIVIA: Final = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?\*/)*", re.S)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD: Final = re.compile(r"-?[0-9][0-9.eE+-]*|[a-z]+")


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


_PLAIN: Final = json.JSONDecoder(parse_constant=_no_number)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value, where it stands, and what it holds if it is an object on the way to a place."""

    start: int
    end: int
    value: Any
    members: "tuple[Member, ...]" = ()

    def member(self, key: str) -> "Member | None":
        """The one that counts: of several of one name the last."""
        return next((each for each in reversed(self.members) if each.key == key), None)


@dataclass(frozen=True, kw_only=True)
class Member:
    key: str
    start: int
    content: Value


def read(text: str) -> Any:
    """What the text says; nothing at all is an empty object.

    Raises:
        Invalid: it is no JSON, comments and commas at the end aside.
    """
    return parsed(text, None).value


def parsed(text: str, path: Sequence[str] | None) -> Value:
    """The same, with the places of all that stands on the way along a path of keys."""
    start = _skip(text, 0)
    if start == len(text):
        return Value(start=0, end=0, value={})
    found = _Reader(text).value(start, 0, path)
    if _skip(text, found.end) != len(text):
        raise _unreadable(text, found.end, "nothing more")
    return found


def with_member(text: str, path: Sequence[str], value: object) -> str:
    """The text with a value at the end of a path of keys; objects on the way are made.

    Raises:
        Invalid: the text cannot be read, or something on the way is no object.
    """
    root = parsed(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    if root.end == 0:  # no text to speak of
        return _rendered(_nested(path, value), "", INDENT, newline) + newline
    unit = _unit(text, root)
    at = root
    for depth, key in enumerate(path):
        _require_object(at, path[:depth])
        member = at.member(key)
        if member is None:
            rest = _nested(path[depth + 1 :], value)
            return _inserted(text, at, key, rest, unit, newline)
        at = member.content
    own = _line_indent(text, at.start)
    return text[: at.start] + _rendered(value, own, unit, newline) + text[at.end :]


def without_member(text: str, path: Sequence[str]) -> str:
    """The text without a member, as it was before one was added; as it is where there is none."""
    at = parsed(text, path)
    for key in path[:-1]:
        member = at.member(key)
        if member is None:
            return text
        at = member.content
    gone = at.member(path[-1])
    if gone is None:
        return text
    index = at.members.index(gone)
    after = _skip(text, gone.content.end)
    comma_after = text[after] == ","
    if index > 0:
        before = at.members[index - 1].content.end
        start = _skip(text, before) + 1 if comma_after else before
        if not comma_after:  # the comma between the two goes as well, and comments there stay
            comma = _skip(text, before)
            between = text[comma + 1 : gone.start].rstrip()
            return text[:comma] + between + text[gone.content.end :]
        kept = text[start : gone.start].rstrip()
        return text[:start] + kept + text[after + 1 :]
    end = after + 1 if comma_after else gone.content.end
    kept = text[at.start + 1 : gone.start].rstrip()
    if len(at.members) == 1 and not kept and not text[end : at.end - 1].strip():
        return text[: at.start] + "{}" + text[at.end :]
    return text[: at.start + 1] + kept + text[end:]


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int, depth: int, path: Sequence[str] | None = None) -> Value:
        """The value that begins at a place; `path` leads on from it, None where no way does."""
        if depth > DEPTH_MAX:
            raise _unreadable(self._text, at, f"at most {DEPTH_MAX} levels")
        match self._text[at : at + 1]:
            case "{" | "[" if path is None and (plain := self._plain(at)):
                return plain
            case "{":
                return self._object(at, depth, path)
            case "[":
                return self._array(at, depth)
            case '"':
                return self._loaded(at, _STRING)
            case _:
                return self._loaded(at, _WORD)

    def _loaded(self, at: int, shape: re.Pattern[str]) -> Value:
        match = shape.match(self._text, at)
        try:
            value = json.loads(match[0]) if match else None
        except ValueError:
            match = None
        if match is None:
            raise _unreadable(self._text, at, "a value of JSON")
        return Value(start=at, end=match.end(), value=value)

    def _plain(self, at: int) -> Value | None:
        """The same, a hundred times as fast, where there is nothing in it but JSON."""
        try:
            value, end = _PLAIN.raw_decode(self._text, at)
        except (ValueError, RecursionError):
            return None
        return Value(start=at, end=end, value=value)

    def _object(self, start: int, depth: int, path: Sequence[str] | None) -> Value:
        members: list[Member] = []
        at = _skip(self._text, start + 1)
        while self._text[at : at + 1] != "}":
            key = self._loaded(at, _STRING)
            at = self._expected(_skip(self._text, key.end), ":")
            rest = path[1:] if path and path[0] == key.value else None
            content = self.value(_skip(self._text, at), depth + 1, rest)
            members.append(Member(key=key.value, start=key.start, content=content))
            at = self._next(content.end, "}")
        value = {each.key: each.content.value for each in members}
        return Value(start=start, end=at + 1, value=value, members=tuple(members))

    def _array(self, start: int, depth: int) -> Value:
        items: list[Any] = []
        at = _skip(self._text, start + 1)
        while self._text[at : at + 1] != "]":
            item = self.value(at, depth + 1)
            items.append(item.value)
            at = self._next(item.end, "]")
        return Value(start=start, end=at + 1, value=items)

    def _next(self, at: int, closing: str) -> int:
        """Where the next member is, or the closing bracket. A comma before that is let pass."""
        at = _skip(self._text, at)
        if self._text[at : at + 1] == closing:
            return at
        return _skip(self._text, self._expected(at, ","))

    def _expected(self, at: int, sign: str) -> int:
        if self._text[at : at + 1] != sign:
            raise _unreadable(self._text, at, f"`{sign}`")
        return at + 1


def _inserted(text: str, into: Value, key: str, value: object, unit: str, newline: str) -> str:
    """A member after all others, written as they are."""
    start, end = into.start + 1, into.end - 1
    flat = bool(into.members) and "\n" not in text[start:end]
    outer = _line_indent(text, into.start)
    inner = _member_indent(text, into) if into.members and not flat else outer + unit
    name = json.dumps(key, ensure_ascii=False)
    if flat:
        shown = f"{name}: {json.dumps(value, ensure_ascii=False)}"
        lead = " "
    else:
        shown = f"{name}: {_rendered(value, inner, unit, newline)}"
        lead = newline + inner
    if not into.members:
        kept = text[start:end].rstrip()
        return text[:start] + kept + lead + shown + newline + outer + text[end:]
    last = into.members[-1].content.end
    comma = _skip(text, last)
    trailing = text[comma] == ","
    tail = comma + 1 if trailing else last
    kept = text[tail:end].rstrip()
    head = text[:tail] if trailing else text[:last] + ","
    return head + kept + lead + shown + ("," if trailing else "") + text[tail + len(kept) :]


def _nested(path: Sequence[str], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _rendered(value: object, indent: str, unit: str, newline: str) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=unit)
    return text.replace("\n", newline + indent)


def _skip(text: str, at: int) -> int:
    match = _TRIVIA.match(text, at)
    return match.end() if match else at


def _line_indent(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _member_indent(text: str, of: Value) -> str:
    """How far the members are in; the last one that begins a line says so."""
    for member in reversed(of.members):
        line = text[text.rfind("\n", 0, member.start) + 1 : member.start]
        if not line.strip():
            return line
    return _line_indent(text, of.start) + INDENT


def _unit(text: str, root: Value) -> str:
    """By how much each level is further in."""
    if not root.members:
        return INDENT
    indent = _member_indent(text, root)
    own = _line_indent(text, root.start)
    return indent[len(own) :] or INDENT


def _require_object(value: Value, path: Sequence[str]) -> None:
    if not isinstance(value.value, dict):
        name = ".".join(path) or "the whole"
        raise Invalid(
            "the file is not as it should be",
            errors=[{"field": name, "expected": "an object"}],
        )


def _unreadable(text: str, at: int, expected: str) -> Invalid:
    line = text.count("\n", 0, at) + 1
    return Invalid(
        f"the file is no JSON: line {line}",
        errors=[{"field": f"line {line}", "expected": expected}],
    )
