"""The operations as an OpenAPI 3.1 document."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from hubbub import __version__
from hubbub.interfaces.errors import http_status
from hubbub.kernel.errors import meaning
from hubbub.protocol.specs import OperationSpec

INFRASTRUCTURE: Final = (
    "VALIDATION_ERROR", "UNAUTHENTICATED", "ACCESS_DENIED", "OPERATION_NOT_FOUND", "BUSY",
    "EXECUTION_ERROR", "NO_PROVIDER", "TIMEOUT",
)  # fmt: skip

COMPONENT: Final = r"[A-Za-z0-9._-]+"
PLAIN: Final = ("string", "integer", "number", "boolean", "null")

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}


def document(specs: Sequence[OperationSpec]) -> dict[str, Any]:
    """An OpenAPI document with one path an operation."""
    schemas: dict[str, Any] = {"Error": ERROR}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hubbub",
            "version": __version__,
            "description": "Operations that agents can call. Every answer is an envelope.",
        },
        "paths": {f"/v1/{spec.namespace}/{spec.name}": _path(spec, schemas) for spec in specs},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _path(spec: OperationSpec, schemas: dict[str, Any]) -> dict[str, Any]:
    wanted = _hoisted(spec.input_schema, f"{spec.id}.input", schemas)
    given = _hoisted(spec.output_schema, f"{spec.id}.output", schemas)
    common = {
        "summary": spec.title or spec.description.split("\n")[0],
        "description": spec.description,
        "tags": [spec.namespace],
        "responses": {"200": _answer(spec, given), **dict(_errors(spec))},
    }
    body = {
        "required": isinstance(wanted, dict) and bool(wanted.get("required")),
        "content": {"application/json": {"schema": wanted}},
    }
    path: dict[str, Any] = {"post": {"operationId": spec.id, **common, "requestBody": body}}
    parameters = _flat(wanted) if spec.type == "query" else None
    if parameters is not None:
        path["get"] = {"operationId": f"{spec.id}.get", **common, "parameters": parameters}
    return path


def _flat(wanted: Any) -> list[dict[str, Any]] | None:
    """The fields of an input that fits a query string; None for one that does not."""
    if not isinstance(wanted, dict) or wanted.get("type", "object") != "object":
        return None
    fields = wanted.get("properties", {})
    if not all(_fits_a_query(field) for field in fields.values()):
        return None
    required = wanted.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in fields.items()
    ]


def _fits_a_query(field: Any) -> bool:
    """Whether each of its values is one word of text, or several."""
    if not isinstance(field, dict):
        return False
    if "anyOf" in field:
        return all(_fits_a_query(choice) for choice in field["anyOf"])
    if field.get("type") == "array":
        items = field.get("items")
        return isinstance(items, dict) and items.get("type") in PLAIN
    return field.get("type") in PLAIN or "enum" in field


def _answer(spec: OperationSpec, data: Any) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "required": ["data", "meta"],
        "properties": {"data": data, "meta": {"type": "object"}},
    }
    kind = "text/event-stream" if spec.type == "subscription" else "application/json"
    return {"description": "The answer in its envelope", "content": {kind: {"schema": envelope}}}


def _errors(spec: OperationSpec) -> Iterable[tuple[str, dict[str, Any]]]:
    codes: dict[str, list[str]] = {}
    for code in INFRASTRUCTURE:
        codes.setdefault(str(meaning(code).http), []).append(code)
    for error in spec.error_schemas:
        status = str(http_status(error.code, spec))
        codes.setdefault(status, []).append(f"{error.code}: {error.description}")
    for answer, names in sorted(codes.items()):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        yield answer, {"description": "; ".join(names), "content": content}


def _hoisted(schema: Any, name: str, schemas: dict[str, Any]) -> Any:
    """A schema that may stand anywhere in the document: its definitions move to the components."""
    if not isinstance(schema, dict):
        return schema
    if not _plain(schema):
        # With an `$id` its references mean its own parts, as JSON Schema 2020-12 has it. Fewer
        # tools understand that.
        return {"$id": f"urn:hubbub:{name}", **schema}
    here = f"#/components/schemas/{name}."
    definitions = schema.get("$defs")
    if not isinstance(definitions, dict):
        return schema  # an older draft, to which the word means nothing
    for key, definition in definitions.items():
        schemas[f"{name}.{key}"] = _pointed(definition, here)
    return _pointed({key: value for key, value in schema.items() if key != "$defs"}, here)


def _plain(schema: dict[str, Any]) -> bool:
    """Whether its references lead to its `$defs`, whose names a component may have, and its `$id`
    does not say where they begin."""
    names = schema.get("$defs", {})
    if not isinstance(names, dict):
        return True
    return (
        all(re.fullmatch(COMPONENT, name) for name in names)
        and all(ref.startswith("#/$defs/") for ref in _refs(schema))
        and ("$id" not in schema or not names)
    )


def _refs(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for each in value.values():
                yield from _refs(each)
        case list():
            for each in value:
                yield from _refs(each)


def _pointed(value: Any, here: str) -> Any:
    match value:
        case {"$ref": str(ref), **others} if ref.startswith("#/$defs/"):
            return {"$ref": here + ref.removeprefix("#/$defs/"), **others}
        case dict():
            return {key: _pointed(each, here) for key, each in value.items()}
        case list():
            return [_pointed(each, here) for each in value]
        case _:
            return value
