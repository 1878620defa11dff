"""What a server and a tool say of themselves, as the text that is embedded. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

TEXT_CHARS_MAX: Final = 4_000
PARAMETERS_MAX: Final = 100
NAMED_MAX: Final = 12


def tool_text(server: str, tool: Mapping[str, object]) -> str:
    """A tool in the context of its server: name, title, the whole description, parameters."""
    parts = [
        f"Server: {server}",
        f"Tool: {text_of(tool.get('name'))}",
        _labelled("Title", tool.get("title") or _annotated_title(tool)),
        _labelled("Description", tool.get("description")),
        _labelled("Parameters", ", ".join(_parameters(tool))),
    ]
    return _joined(parts)


def server_text(name: str, description: str | None, title: str) -> str:
    """A server that can be had."""
    return _joined(
        [f"Server: {name}", _labelled("Title", title), _labelled("Description", description)]
    )


def described_parameters(tool: Mapping[str, object]) -> list[tuple[str, str]]:
    """Each parameter, and what is said of it."""
    schema = tool.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return []
    return [
        (str(name), text_of(said.get("description")) if isinstance(said, Mapping) else "")
        for name, said in list(properties.items())[:PARAMETERS_MAX]
    ]


def title_of(definition: msgspec.Raw | None) -> str:
    """The title in a registry entry's definition."""
    if definition is None:
        return ""
    try:
        return msgspec.json.decode(definition, type=_Titled).title or ""
    except msgspec.ValidationError:
        return ""


class _Titled(msgspec.Struct):
    title: str | None = None


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


def _parameters(tool: Mapping[str, object]) -> list[str]:
    return [f"{name}: {told}" if told else name for name, told in described_parameters(tool)]


def _annotated_title(tool: Mapping[str, object]) -> object:
    annotations = tool.get("annotations")
    return annotations.get("title") if isinstance(annotations, Mapping) else None


def _labelled(label: str, said: object) -> str:
    text = text_of(said)
    return f"{label}: {text}" if text else ""


def text_of(said: object) -> str:
    """A text, or none where something else stands."""
    return said.strip() if isinstance(said, str) else ""


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)[:TEXT_CHARS_MAX]
