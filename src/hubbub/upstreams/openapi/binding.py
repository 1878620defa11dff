"""How an operation is a request of an HTTP API. Kept with its definition, in `_meta`, so that a hub
that starts again needs no document."""

from typing import Literal

import msgspec

from hubbub.protocol.codec import encode

Location = Literal["path", "query", "header", "cookie"]
Style = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject"
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is kept. Unknown fields are ignored, so that newer hubs can say more."""


class Parameter(_Part, frozen=True, kw_only=True):
    """Where a field of the input goes, and how it is written there."""

    field: str
    name: str
    location: Location = msgspec.field(name="in")
    style: Style
    explode: bool
    allow_reserved: bool = False
    json: bool = False
    """It is written as JSON, whatever it is."""


class FormField(_Part, frozen=True, kw_only=True):
    """How a property of a body that is a form is written, where that is not as by default."""

    style: Style | None = None
    explode: bool = True
    allow_reserved: bool = False
    content_type: str | None = None
    binary: bool = False
    """Bytes, given in base64."""


class Body(_Part, frozen=True, kw_only=True):
    """What becomes of the input's `body`."""

    content_type: str
    binary: bool = False
    form: dict[str, FormField] = {}


class Binding(_Part, frozen=True, kw_only=True):
    """The request that an operation makes."""

    method: str
    path: str
    summary: str | None = None
    operation_id: str | None = None
    """As the document has it."""
    deprecated: bool = False
    base_path: str | None = None
    """Of a server of its own, on the same origin as that of the others."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    accept: str = "application/json, */*;q=0.5"
    security: tuple[dict[str, list[str]], ...] = ()
    """What the document requires, as it says it."""


def meta_of(binding: Binding) -> dict[str, object]:
    """As it is stored, and as it comes back."""
    return msgspec.json.decode(encode(binding), type=dict[str, object])


def binding_of(meta: dict[str, object]) -> Binding:
    """As it was stored.

    Raises:
        msgspec.ValidationError: if something else was.
    """
    return msgspec.convert(meta, Binding)
