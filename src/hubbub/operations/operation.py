"""An operation, written once: a method with a context, one typed input and one typed output.

Its signature is its schema, its docstring its description, and the type of its context its mode.
"""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec

from hubbub.kernel.errors import HubError
from hubbub.operations.context import Context, Handler, Reading, Writing
from hubbub.protocol.signatures import description_of, output_of, schema_of
from hubbub.protocol.specs import AccessControl, ErrorDefinition, OperationSpec

Errors = Mapping[type[HubError], str]
"""Which errors an operation may fail with, and when."""

F = TypeVar("F", bound=Callable[..., object])

_MARK = "__hubbub_operation__"

# Hubs that are started in one process have the same operations.
_schema_of = cache(schema_of)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input of an operation that takes none."""


@dataclass(frozen=True, kw_only=True)
class _Declared:
    scope: str | None
    errors: tuple[ErrorDefinition, ...]
    sensitive: bool
    reads: bool


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One of the hub's own operations."""

    spec: OperationSpec
    handler: Handler
    input: type[Any]
    context: type[Reading] | type[Writing] | type[Context]
    sensitive: bool
    """Its input or output holds a secret, so the call graph keeps neither."""


def operation(
    *,
    scope: str | None = None,
    errors: Errors | None = None,
    sensitive: bool = False,
    reads: bool = False,
) -> Callable[[F], F]:
    """Declare a method of a `<Domain>Operations` class to be an operation.

    Args:
        scope: what a caller must hold; without it, any identity will do.
        errors: what it may fail with besides what any call may, and when.
        sensitive: whether input or output hold secrets, which are then not recorded.
        reads: whether it changes nothing although it waits on others: a query with a `Context`.
    """

    def mark(function: F) -> F:
        declared = _Declared(
            scope=scope,
            errors=tuple(
                ErrorDefinition(code=kind.code, description=when)
                for kind, when in (errors or {}).items()
            ),
            sensitive=sensitive,
            reads=reads,
        )
        setattr(function, _MARK, declared)
        return function

    return mark


def operations_of(domain: object) -> Iterator[Operation]:
    """The operations of a `<Domain>Operations` object; its `namespace` is theirs."""
    namespace: str = domain.namespace  # type: ignore[attr-defined]  # every such class has one
    for name, function in inspect.getmembers(type(domain), inspect.isfunction):
        declared = getattr(function, _MARK, None)
        if isinstance(declared, _Declared):
            yield _operation(namespace, camel(name), declared, getattr(domain, name))


def _operation(namespace: str, name: str, declared: _Declared, handler: Handler) -> Operation:
    hints = typing.get_type_hints(handler, include_extras=True)
    output, streams = output_of(hints["return"])
    context = hints["ctx"]
    inputs = [hint for key, hint in hints.items() if key not in ("return", "ctx")]
    shape = inputs[0] if inputs else Nothing
    reads = declared.reads or context is Reading
    return Operation(
        spec=OperationSpec(
            namespace=namespace,
            name=name,
            type="subscription" if streams else "query" if reads else "mutation",
            description=description_of(handler),
            input_schema=_schema_of(shape),
            output_schema=_schema_of(output),
            error_schemas=declared.errors,
            access_control=AccessControl(
                required_scopes=(declared.scope,) if declared.scope else ()
            ),
            idempotent=reads,
        ),
        handler=handler,
        input=shape,
        context=context,
        sensitive=declared.sensitive,
    )


def camel(name: str) -> str:
    """snake_case as it is published."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
