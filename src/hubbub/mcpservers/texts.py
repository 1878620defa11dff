"""What a server and a tool say of themselves, as the text that is embedded. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

TEXT_CHARS_MAX: Final = 4_000
PARAMETERS_MAX: Final = 100
NAMED_MAX: Final = 12


def tool_text(server: str, tool: Mapping[str, object]) -> str:
    """A tool in the context of its server: name, title, the whole description, parameters."""
    parts = [
        f"Server: {server}",
        f"Tool: {_text(tool.get('name'))}",
        _labelled("Title", tool.get("title") or _annotated_title(tool)),
        _labelled("Description", tool.get("description")),
        _labelled("Parameters", ", ".join(parameters(tool))),
    ]
    return _joined(parts)


def server_text(name: str, description: str | None, definition: Mapping[str, object] | None) -> str:
    """A server that can be had, with the title that its definition gives it."""
    title = (definition or {}).get("title")
    return _joined(
        [f"Server: {name}", _labelled("Title", title), _labelled("Description", description)]
    )


def parameters(tool: Mapping[str, object]) -> list[str]:
    """Each parameter with what is said of it."""
    schema = tool.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return []
    found = []
    for name, said in list(properties.items())[:PARAMETERS_MAX]:
        told = said.get("description") if isinstance(said, Mapping) else None
        found.append(f"{name}: {told}" if isinstance(told, str) and told else str(name))
    return found


def own_description(name: str, tools: Iterable[str]) -> str:
    """What a server is for that does not say so itself."""
    names = sorted(tools)
    if not names:
        return f"{name}, a server whose tools are not known."
    shown = ", ".join(names[:NAMED_MAX])
    more = len(names) - NAMED_MAX
    return f"{name}, a server with {shown}{f' and {more} more' if more > 0 else ''}."


def embedding_key(model: str, text: str) -> str:
    """The same for the same text and the same model, and for nothing else."""
    return hashlib.sha256(f"{model}\n{text}".encode()).hexdigest()


def _annotated_title(tool: Mapping[str, object]) -> object:
    annotations = tool.get("annotations")
    return annotations.get("title") if isinstance(annotations, Mapping) else None


def _labelled(label: str, said: object) -> str:
    text = _text(said)
    return f"{label}: {text}" if text else ""


def _text(said: object) -> str:
    return said.strip() if isinstance(said, str) else ""


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)[:TEXT_CHARS_MAX]
