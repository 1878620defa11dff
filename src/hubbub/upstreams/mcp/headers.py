"""What a request of the newer era repeats in its headers, for whoever stands on the way. No I/O."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hubbub.protocol.mcp import NAMED

PARAM: Final = "Mcp-Param-"
ANNOTATION: Final = "x-mcp-header"
PLAIN: Final = re.compile(r"[\x20-\x7e]*")
WRAPPED: Final = re.compile(r"=\?base64\?.*\?=")
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
DEPTH_MAX: Final = 16

Path = tuple[str, ...]


def headers_of(method: str, params: Mapping[str, object]) -> dict[str, str]:
    """The method, and the name of what it is about."""
    headers = {"Mcp-Method": method}
    name = params.get(NAMED.get(method, ""))
    if isinstance(name, str):
        headers["Mcp-Name"] = header_value(name)
    return headers


def header_value(text: str) -> str:
    """A text as a header can carry it."""
    if PLAIN.fullmatch(text) and text == text.strip() and not WRAPPED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def annotated(schema: object) -> dict[Path, str]:
    """The properties of a tool's input that are repeated in headers, each with its header's name.

    Raises:
        ValueError: if an annotation is not as the protocol has it. Such a tool is not to be used.
    """
    found: dict[Path, str] = {}
    for path, name, kind in _annotations(schema):
        if not path:
            raise ValueError(f"{ANNOTATION} stands where no property is")
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(f"{ANNOTATION} of {'.'.join(path)} is no name of a header")
        if kind not in ("string", "integer", "boolean"):
            raise ValueError(f"{ANNOTATION} of {'.'.join(path)} is on no text, integer or boolean")
        if name.lower() in (each.lower() for each in found.values()):
            raise ValueError(f"{ANNOTATION} {name} stands twice")
        found[path] = name
    return found


def _annotations(schema: object) -> Iterator[tuple[Path | None, object, object]]:
    """Every annotation and its type, and the way to its property if only properties lead there."""
    todo: list[tuple[object, Path | None, int]] = [(schema, (), 0)]
    while todo:
        node, where, depth = todo.pop()
        if isinstance(node, list):
            todo += [(each, None, depth + 1) for each in node]
        if not isinstance(node, dict) or depth > DEPTH_MAX:
            continue
        if ANNOTATION in node:
            yield where, node[ANNOTATION], node.get("type")
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                for name, each in value.items():
                    todo.append((each, None if where is None else (*where, name), depth + 1))
            elif key not in ("default", "examples", "const", "enum", ANNOTATION):
                todo.append((value, None, depth + 1))


def param_headers(paths: Mapping[Path, str], arguments: object) -> dict[str, str]:
    """The headers that repeat these properties of the arguments, where they are there."""
    headers: dict[str, str] = {}
    for path, name in paths.items():
        value = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            headers[PARAM + name] = "true" if value else "false"
        elif isinstance(value, str | int):
            headers[PARAM + name] = header_value(str(value))
    return headers
