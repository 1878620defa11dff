"""A JSON Schema in one line, for those who pay by the word. No I/O."""

from typing import Any, Final

from hubbub.protocol.codec import encode

ENUM_SHOWN: Final = 8
DEPTH_MAX: Final = 3


def signature(schema: Any) -> str:
    """The arguments of a tool: `path: string, limit?: integer = 10`."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return ""
    required = schema.get("required", ())
    return ", ".join(
        _parameter(name, each, name in required, schema)
        for name, each in schema["properties"].items()
    )


def _parameter(name: str, schema: Any, required: bool, root: Any) -> str:
    text = f"{name}{'' if required else '?'}: {_type(schema, root, 0)}"
    if isinstance(schema, dict) and schema.get("default") is not None:
        text += f" = {encode(schema['default']).decode()}"
    return text


def _type(schema: Any, root: Any, depth: int) -> str:
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or not schema or depth > DEPTH_MAX:
        return "any"
    match schema:
        case {"enum": [*values]}:
            shown = " | ".join(encode(value).decode() for value in values[:ENUM_SHOWN])
            return shown if len(values) <= ENUM_SHOWN else f"{shown} | ..."
        case {"const": value}:
            return encode(value).decode()
        case {"anyOf": [*choices]} | {"oneOf": [*choices]}:
            return " | ".join(dict.fromkeys(_type(each, root, depth + 1) for each in choices))
        case {"type": "array"}:
            return f"{_type(schema.get('items'), root, depth + 1)}[]"
        case {"type": "object", "properties": {**properties}} if depth < DEPTH_MAX:
            required = schema.get("required", ())
            inner = ", ".join(
                f"{name}{'' if name in required else '?'}: {_type(each, root, depth + 1)}"
                for name, each in properties.items()
            )
            return f"{{{inner}}}"
        case {"type": [*kinds]}:
            return " | ".join(map(str, kinds))
        case {"type": str(kind)}:
            return kind
        case _:
            return "any"


def _resolved(schema: Any, root: Any) -> Any:
    for _ in range(DEPTH_MAX):
        ref = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(ref, str) or not ref.startswith("#/$defs/"):
            return schema
        schema = root.get("$defs", {}).get(ref.removeprefix("#/$defs/"), {})
    return {}
