"""The hub's own operations."""

import inspect
from collections.abc import Sequence

from hubbub.identity.model import OWNER_SCOPES, SCOPES
from hubbub.interfaces.cli.flags import kebab
from hubbub.operations.operation import Operation
from reference.markdown import link, table
from reference.schemas import Schema, fields, sections


def page(operations: Sequence[Operation]) -> str:
    shapes: dict[str, Schema] = {}
    parts = [
        "# Operations",
        "What the hub itself offers. Every operation is at `POST /v1/{namespace}/{name}`; over "
        "WebSocket it is called by its id; `hubbub call` and `hubbub do` call it from a shell. "
        "Each may end with the [errors](errors.md) that any call can end with.",
        _index(operations),
        _scopes(operations),
    ]
    for namespace in dict.fromkeys(each.spec.namespace for each in operations):
        mine = [each for each in operations if each.spec.namespace == namespace]
        parts += [f"## {namespace}", _domain(mine[0])]
        parts += [_operation(each, shapes) for each in mine]
    parts.append("## Shapes\n\nObjects that stand inside of others.")
    parts += sections(shapes)
    return "\n\n".join(parts)


def _index(operations: Sequence[Operation]) -> str:
    return table(
        ("operation", "type", "scope", ""),
        (
            (
                link(each.spec.id),
                each.spec.type,
                _required(each),
                each.spec.description.split("\n")[0],
            )
            for each in operations
        ),
    )


def _scopes(operations: Sequence[Operation]) -> str:
    def row(scope: str) -> Sequence[str]:
        needed = [each.spec.id for each in operations if scope in _scopes_of(each)]
        widened = [each.spec.id for each in operations if f"`{scope}`" in each.spec.description]
        widened += sorted(
            {each.spec.namespace for each in operations if f"`{scope}`" in _domain(each)}
        )
        return (
            f"`{scope}`",
            ", ".join(map(link, needed)) or "",
            ", ".join(map(link, widened)) or "",
            "yes" if scope in OWNER_SCOPES else "",
        )

    known = sorted({*SCOPES, *OWNER_SCOPES})
    return "\n\n".join(
        (
            "## Scopes",
            "What a key may hold. Operations of spokes may ask for any other; `dev:*` are those of "
            "`hubbub spoke dev`.",
            table(("scope", "needed by", "lets see or do more in", "owner's key"), map(row, known)),
        )
    )


def _domain(operation: Operation) -> str:
    """What the class says of all its operations."""
    domain = getattr(operation.handler, "__self__", None)
    return inspect.getdoc(type(domain)) or ""


def _scopes_of(operation: Operation) -> Sequence[str]:
    access = operation.spec.access_control
    return (*access.required_scopes, *access.required_scopes_any)


def _required(operation: Operation) -> str:
    return ", ".join(f"`{scope}`" for scope in _scopes_of(operation)) or "any key"


def _operation(operation: Operation, shapes: dict[str, Schema]) -> str:
    spec = operation.spec
    facts = [spec.type, f"scope {_required(operation)}" if _scopes_of(operation) else "any key"]
    facts += ["idempotent"] if spec.idempotent else []
    facts += ["input and output are not recorded"] if operation.sensitive else []
    method = "POST" if spec.type == "mutation" else "GET or POST"
    typed = f"hubbub do {kebab(spec.namespace)} {kebab(spec.name)}"
    parts = [
        f"### {spec.id}",
        spec.description,
        f"{', '.join(facts).capitalize()}. `{method} /v1/{spec.namespace}/{spec.name}`, `{typed}`.",
        fields("Input", spec.input_schema, shapes, asked=True),
        fields("Output", spec.output_schema, shapes),
    ]
    if spec.error_schemas:
        rows = (
            (f"`{e.code}`", str(e.http_status or 500), e.description) for e in spec.error_schemas
        )
        parts.append(table(("error", "HTTP", "when"), rows))
    return "\n\n".join(parts)
