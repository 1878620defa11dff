"""Documents of version 2.0 (Swagger), written as 3.0 has them. No I/O."""

from typing import Any, Final

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"
_OF_SCHEMA: Final = frozenset({
    "type", "format", "items", "default", "enum", "pattern", "maximum", "minimum", "maxLength",
    "minLength", "maxItems", "minItems", "uniqueItems", "multipleOf", "exclusiveMaximum",
    "exclusiveMinimum",
})  # fmt: skip
_STYLES: Final = {"ssv": "spaceDelimited", "pipes": "pipeDelimited"}


def upgraded(root: Any) -> Any:
    """The document itself, unless it is one of version 2.0."""
    if not isinstance(root, dict) or not str(root.get("swagger", "")).startswith("2"):
        return root
    paths = root.get("paths")
    return {
        **{name: part for name, part in root.items() if name not in ("swagger", "security")},
        "openapi": "3.0.0",
        "servers": _servers(root),
        "security": root.get("security", []),
        "paths": {
            path: _path(root, item) for path, item in _items(paths) if isinstance(item, dict)
        },
        "components": {
            "securitySchemes": {
                name: _scheme(scheme) for name, scheme in _items(root.get("securityDefinitions"))
            }
        },
    }


def _servers(root: dict[str, Any]) -> list[dict[str, Any]]:
    host, base = root.get("host"), str(root.get("basePath") or "/")
    if not host:
        return [{"url": base}]
    schemes = root.get("schemes") or [""]  # as the document came
    first = "https" if "https" in schemes else schemes[0]
    return [{"url": f"{first}:" * bool(first) + f"//{host}{base}"}]


def _path(root: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    shared = _listed(item.get("parameters"))
    made = {name: part for name, part in item.items() if name not in (*METHODS, "parameters")}
    for method in METHODS:
        if isinstance(item.get(method), dict):
            made[method] = _operation(root, item[method], shared)
    return made


def _operation(root: dict[str, Any], operation: dict[str, Any], shared: list[Any]) -> Any:
    own = [_parameter_of(root, each) for each in _listed(operation.get("parameters"))]
    named = {(each.get("name"), each.get("in")) for each in own}
    every = [_parameter_of(root, each) for each in shared]
    every = [each for each in every if (each.get("name"), each.get("in")) not in named] + own
    consumes = _listed(operation.get("consumes") or root.get("consumes"))
    produces = _listed(operation.get("produces") or root.get("produces")) or [JSON]
    made = {**operation}
    made["parameters"] = [
        _parameter(each) for each in every if each.get("in") not in ("body", "formData")
    ]
    body = _body(every, consumes)
    if body is not None:
        made["requestBody"] = body
    made["responses"] = {
        status: _response(root, each, produces)
        for status, each in _items(operation.get("responses"))
    }
    return made


def _parameter_of(root: dict[str, Any], parameter: Any) -> dict[str, Any]:
    return _here(root, parameter, "parameters")


def _here(root: dict[str, Any], part: Any, kind: str) -> dict[str, Any]:
    """A part that may be a reference into the same document."""
    found = dict(_items(part))
    start, _, name = str(found.get("$ref", "")).rpartition("/")
    if start == f"#/{kind}":
        found = dict(_items(dict(_items(root.get(kind))).get(name)))
    return found


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    made = {name: part for name, part in parameter.items() if name not in _OF_SCHEMA}
    if "$ref" in parameter:
        return made
    made["schema"] = _schema(parameter)
    form = parameter.get("collectionFormat", "csv")
    if parameter.get("in") == "query":
        made["explode"] = form == "multi" or parameter.get("type") != "array"
        if form in _STYLES:
            made["style"] = _STYLES[form]
    return made


def _schema(parameter: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in parameter.items() if name in _OF_SCHEMA}


def _body(parameters: list[dict[str, Any]], consumes: list[Any]) -> dict[str, Any] | None:
    for each in parameters:
        if each.get("in") == "body":
            types = consumes or [JSON]
            return {
                "description": each.get("description", ""),
                "required": each.get("required") is True,
                "content": {str(kind): {"schema": each.get("schema", {})} for kind in types},
            }
    fields = [each for each in parameters if each.get("in") == "formData" and "name" in each]
    if not fields:
        return None
    files = any(each.get("type") == "file" for each in fields)
    kind = MULTIPART if files or consumes == [MULTIPART] else FORM
    required = [each["name"] for each in fields if each.get("required") is True]
    described = {
        each["name"]: {**_schema(each), "description": each.get("description", "")}
        for each in fields
    }
    schema = {"type": "object", "properties": described, "required": required}
    return {"required": bool(required), "content": {kind: {"schema": schema}}}


def _response(root: dict[str, Any], response: Any, produces: list[Any]) -> dict[str, Any]:
    found = _here(root, response, "responses")
    if "schema" not in found:
        return found
    return {**found, "content": {str(kind): {"schema": found["schema"]} for kind in produces}}


def _scheme(scheme: Any) -> Any:
    if isinstance(scheme, dict) and scheme.get("type") == "basic":
        return {"type": "http", "scheme": "basic"}
    return scheme


def _items(part: Any) -> list[tuple[str, Any]]:
    return list(part.items()) if isinstance(part, dict) else []


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else []
