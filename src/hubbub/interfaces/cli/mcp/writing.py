"""An entry put into a client's settings, or taken out, and nothing else of them touched. No I/O."""

import tomllib
from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from hubbub.interfaces.cli.mcp import jsonc
from hubbub.interfaces.cli.mcp.clients import Client
from hubbub.interfaces.cli.mcp.entries import INPUT
from hubbub.kernel.errors import Invalid


def entry_in(client: Client, text: str, name: str) -> Any:
    """The entry of a name; None where there is none.

    Raises:
        Invalid: the settings cannot be read.
    """
    found: Any = _read(client, text)
    for key in (*client.section, name):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def with_entry(client: Client, text: str, name: str, entry: dict[str, object]) -> str:
    """The settings with an entry, in place of any other of that name.

    Raises:
        Invalid: the settings cannot be read, or not be changed without touching the rest.
    """
    path = (*client.section, name)
    if entry_in(client, text, name) == entry:
        return text
    expected = _put(_read(client, text), path, entry)
    if client.syntax == "toml":
        after = _toml_with(text, path, entry)
    else:
        after = jsonc.with_member(text, path, entry)
    if _asks(entry):
        inputs = _inputs(expected)
        after = jsonc.with_member(after, ("inputs",), inputs)
        expected["inputs"] = inputs
    _check(client, after, expected)
    return after


def without_entry(client: Client, text: str, name: str) -> str:
    """The settings without the entry of a name."""
    path = (*client.section, name)
    if client.syntax == "toml":
        return _toml_without(text, path)
    return jsonc.without_member(text, path)


def _asks(entry: dict[str, object]) -> bool:
    """Whether VS Code is to ask for the key."""
    headers = entry.get("headers")
    wanted = f"${{input:{INPUT['id']}}}"
    return isinstance(headers, dict) and any(wanted in str(each) for each in headers.values())


def _inputs(settings: Any) -> list[Any]:
    there = settings.get("inputs", [])
    if not isinstance(there, list):
        raise Invalid(
            "the file is not as it should be", errors=[{"field": "inputs", "expected": "a list"}]
        )
    known = any(isinstance(each, dict) and each.get("id") == INPUT["id"] for each in there)
    return there if known else [*there, dict(INPUT)]


def _read(client: Client, text: str) -> Any:
    if client.syntax == "json":
        return jsonc.read(text)
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the file is no TOML: {error}") from error


def _toml_with(text: str, path: Sequence[str], entry: dict[str, object]) -> str:
    """The settings with a table at their end, which leaves all before it as it is."""
    text = _toml_without(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    table = tomlkit.table()
    for key, value in entry.items():
        table.append(key, _inline(value))
    outer = tomlkit.document()
    within: Any = outer
    for key in path[:-1]:
        within.append(key, tomlkit.table(is_super_table=True))
        within = within[key]
    within.append(path[-1], table)
    block = tomlkit.dumps(outer).replace("\n", newline)
    gap = 0 if not text or text.endswith(2 * newline) else 1 if text.endswith("\n") else 2
    return text + gap * newline + block


def _inline(value: object) -> Any:
    """A value on its line, so that the entry is one table."""
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update(value)
    return table


def _toml_without(text: str, path: Sequence[str]) -> str:
    mark, document = _document(text)
    at: Any = document
    for key in path[:-1]:
        if not isinstance(at, dict) or key not in at:
            return text
        at = at[key]
    if not isinstance(at, dict) or path[-1] not in at:
        return text
    del at[path[-1]]
    return mark + tomlkit.dumps(document)


def _document(text: str) -> tuple[str, tomlkit.TOMLDocument]:
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    try:
        return mark, tomlkit.parse(text.removeprefix(mark))
    except TOMLKitError as error:
        raise Invalid(f"the file is no TOML: {error}") from error


def _put(settings: Any, path: Sequence[str], entry: dict[str, object]) -> Any:
    """The settings as they should be afterwards."""
    if not path:
        return entry
    if not isinstance(settings, dict):
        raise Invalid(
            "the file is not as it should be", errors=[{"field": path[0], "expected": "an object"}]
        )
    return {**settings, path[0]: _put(settings.get(path[0], {}), path[1:], entry)}


def _check(client: Client, text: str, expected: object) -> None:
    """See that the change did what it should, and nothing else."""
    try:
        right = _read(client, text) == expected
    except Invalid:
        right = False
    if not right:
        raise _untouchable()


def _untouchable() -> Invalid:
    return Invalid("the file cannot be changed without touching the rest of it: do it by hand")
