"""What a spoke offers: a function, and the operation that its signature and docstring make it."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from hubbub.client.context import CallContext
from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.signatures import (
    OperationType,
    Signature,
    description_of,
    schema_of,
    signature_of,
)
from hubbub.protocol.specs import AccessControl, ErrorDefinition, OperationSpec


class Manner(Enum):
    """How a function is carried out."""

    AWAITED = "async def"
    ITERATED = "async def with yield"
    IN_THREAD = "def"
    IN_THREAD_ITERATED = "def with yield"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What cannot be read from a function."""

    namespace: str
    name: str | None = None
    type: OperationType | None = None
    shared: bool = False
    idempotent: bool = False
    scopes: tuple[str, ...] = ()
    errors: tuple[ErrorDefinition, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One operation and the function that answers it."""

    spec: OperationSpec
    function: Callable[..., Any]
    manner: Manner
    signature: Signature
    decoder: msgspec.json.Decoder[msgspec.Struct]

    def arguments(self, input: msgspec.Raw, context: CallContext) -> dict[str, object]:
        """What to call the function with.

        Raises:
            Invalid: the input does not fit the signature; `errors` names the field.
        """
        try:
            value = self.decoder.decode(input)
        except UNREADABLE as error:
            raise _misfit(str(error)) from error
        arguments = {field: getattr(value, field) for field in value.__struct_fields__}
        if self.signature.context is not None:
            arguments[self.signature.context] = context
        return arguments


def offer(function: Callable[..., Any], terms: Terms) -> Offer:
    """The operation that `function` is on these terms.

    Raises:
        TypeError: a parameter cannot be given by name or has no annotation; the return type says
            many answers and the function yields none; `type` and the function disagree.
        ValueError: the namespace or the name cannot be one.
    """
    manner = _manner(function)
    signature = signature_of(function, CallContext)
    streams = manner in (Manner.ITERATED, Manner.IN_THREAD_ITERATED)
    if signature.streams and not streams:
        raise TypeError(f"{function.__name__}: promises many answers and does not yield")
    if terms.type is not None and (terms.type == "subscription") is not streams:
        raise TypeError(f"{function.__name__}: a subscription yields, and nothing else does")
    output = signature.output if signature.streams or not streams else Any
    spec = OperationSpec(
        namespace=terms.namespace,
        name=terms.name or _camel(function.__name__),
        type="subscription" if streams else terms.type or "query",
        description=description_of(function),
        tags=tuple(terms.tags),
        input_schema=schema_of(signature.input),
        output_schema=schema_of(output),
        error_schemas=tuple(terms.errors),
        access_control=AccessControl(required_scopes=tuple(terms.scopes)),
        idempotent=terms.idempotent,
        shared=terms.shared,
    )
    return Offer(
        spec=spec,
        function=function,
        manner=manner,
        signature=signature,
        decoder=msgspec.json.Decoder(signature.input),
    )


def by_id(offers: Iterable[Offer]) -> dict[str, Offer]:
    return {offer.spec.id: offer for offer in offers}


def _manner(function: Callable[..., Any]) -> Manner:
    if inspect.isasyncgenfunction(function):
        return Manner.ITERATED
    if inspect.iscoroutinefunction(function):
        return Manner.AWAITED
    if inspect.isgeneratorfunction(function):
        return Manner.IN_THREAD_ITERATED
    return Manner.IN_THREAD


def _camel(name: str) -> str:
    head, *rest = name.strip("_").split("_")
    return head + "".join(part.capitalize() for part in rest)


# msgspec names a field that is missing or too many in the sentence, every other one at its end:
# "Object missing required field `path` - at `$.file`", "Expected `int`, got `str` - at `$.limit`".
_NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<field>[^`]*)`")


def _misfit(message: str) -> Invalid:
    expected, _, path = message.partition(" - at ")
    steps = path.strip("`").removeprefix("$").removeprefix(".")
    named = _NAMED.match(message)
    field = ".".join(step for step in (steps, named["field"] if named else "") if step)
    return Invalid("the input does not fit", errors=[{"field": field or "$", "expected": expected}])
