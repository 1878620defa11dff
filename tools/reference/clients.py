"""The public names of hubbub.client."""

import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

from hubbub import client
from hubbub.kernel import errors
from reference.markdown import table

INNER: Final = re.compile(r"\bConnection\b|\b_")

ORDER: Final = ("Hub", "Caller", "Call", "Mode", "Answer", "Progress", "Spoke", "CallContext")
"""What is read first. All else follows by its name."""


def page() -> str:
    parts = [
        "# hubbub.client",
        inspect.getdoc(client) or "",
        "Part of the package `hubbub`, and shipped alone as `hubbub-client`. A URL is that of the "
        "hub itself, as `http://127.0.0.1:4820`.",
    ]
    failures: list[type[errors.HubError]] = []
    for name in dict.fromkeys((*ORDER, *client.__all__)):
        thing = getattr(client, name)
        if isinstance(thing, type) and issubclass(thing, errors.HubError):
            failures.append(thing)
        else:
            parts += _thing(name, thing)
    rows = ((f"`{each.__name__}`", _code(each)) for each in failures)
    more = (
        "Each has a `message`, and `details` as a dict. What the codes mean: [errors](errors.md)."
    )
    return "\n\n".join((*parts, "## Errors", more, table(("class", "code"), rows)))


def _code(kind: type[errors.HubError]) -> str:
    match kind:
        case errors.HubError:
            return "what all others are"
        case errors.DomainError:
            return "one that an operation declares: `name`"
        case _:
            return f"`{kind.code}`"


def _thing(name: str, thing: Any) -> Iterator[str]:
    yield f"## {name}"
    if typing.get_origin(thing) is not None:
        yield f"`{thing}`".replace("typing.", "")
        return
    signature = _signature(name, thing)
    # What is handed out ready-made is not for anybody else to make.
    if not getattr(thing, "_is_protocol", False) and not INNER.search(signature):
        yield f"```python\n{signature}\n```"
    yield _prose(thing)
    if not isinstance(thing, type):
        return
    for base in thing.__bases__:
        if base.__name__ in client.__all__:
            yield f"It has all that a [{base.__name__}](#{base.__name__.lower()}) has."
    for attribute, member in _members(thing):
        yield f"#### `{_signature(attribute, member)}`\n\n{_prose(member)}"


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(kind).items():
        told = member.fget if isinstance(member, property) else member
        if isinstance(member, cached_property):
            told = member.func
        if not name.startswith("_") and isinstance(told, types.FunctionType) and told.__doc__:
            yield name, member


def _signature(name: str, thing: Callable[..., object]) -> str:
    if isinstance(thing, property | cached_property):
        return name
    text = re.sub(r"^\((self|cls)(, )?", "(", str(inspect.signature(thing)))
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text).replace("collections.abc.", "")
    text = re.sub(r"<function (\w+) at 0x\w+>|<built-in method (\w+) of [^>]+>", r"\1\2", text)
    return ("async " if inspect.iscoroutinefunction(thing) else "") + name + text


def _prose(thing: Any) -> str:
    """A docstring as Markdown."""
    text = inspect.getdoc(thing) or ""
    parts = []
    for part in text.split("\n\n"):
        head, _, rest = part.partition("\n")
        if head.startswith("    "):
            parts.append(f"```python\n{textwrap.dedent(part)}\n```")
        elif head in ("Args:", "Raises:"):
            entries = re.split(r"\n(?=\S)", inspect.cleandoc(rest))
            listed = (re.sub(r"^([\w, ]+):", r"`\1`:", " ".join(each.split())) for each in entries)
            parts.append("\n".join((f"{head}\n", *(f"- {each}" for each in listed))))
        else:
            parts.append(" ".join(part.split()))
    return _code_whole("\n\n".join(parts))


def _code_whole(text: str) -> str:
    """Code that a blank line has cut in two, as one."""
    return re.sub(r"\n```\n\n```python\n", "\n\n", text)
