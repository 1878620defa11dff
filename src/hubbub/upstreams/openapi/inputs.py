"""The input of an operation: its parameters side by side, and the body. No I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from hubbub.kernel.errors import Invalid
from hubbub.upstreams.openapi.binding import Body, FormField, Location, Parameter, Style
from hubbub.upstreams.openapi.document import Document, Place
from hubbub.upstreams.openapi.keywords import binary
from hubbub.upstreams.openapi.names import Names, field_names
from hubbub.upstreams.openapi.schemas import Schema, Schemas, Warn, Written
from hubbub.upstreams.openapi.security import Credentials, is_token

BYTES_MAX: Final = 64 * 1024
BODY: Final = "body"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

STYLES: Final[dict[Location, tuple[Style, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""Of each location; the first is the one where none is said."""

NOT_GIVEN: Final = frozenset({
    "accept", "content-type", "authorization", "proxy-authorization", "host", "content-length",
    "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect", "cookie",
})  # fmt: skip
"""Headers that are no caller's business: they belong to the connection, or come from elsewhere."""

_FILE: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "contentEncoding": "base64"},
        {
            "type": "object",
            "properties": {
                "data": {"type": "string", "contentEncoding": "base64"},
                "filename": {"type": "string"},
                "contentType": {"type": "string"},
            },
            "required": ["data"],
        },
    ],
}
"""A file in a form: its bytes, and if need be its name and type."""


@dataclass(kw_only=True)
class Inputs:
    """What an operation takes, and where each part of it goes."""

    parameters: list[Parameter] = field(default_factory=list)
    body: Body | None = None
    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """The definitions to which all this refers."""

    def add(self, name: str, written: Written, *, required: bool) -> None:
        self.properties[name] = written.schema
        self.names |= written.names
        if required:
            self.required.append(name)

    @property
    def written(self) -> Written:
        """The schema of it all."""
        schema: dict[str, Any] = {"type": "object", "properties": self.properties}
        if self.required:
            schema["required"] = self.required
        schema["additionalProperties"] = False
        return Written(schema=schema, names=frozenset(self.names))


class InputReader:
    """Reads what the operations of one document take."""

    def __init__(
        self, document: Document, schemas: Schemas, credentials: Credentials, warn: Warn
    ) -> None:
        self._document = document
        self._schemas = schemas
        self._credentials = credentials
        self._warn = warn

    def inputs(self, item: Place, operation: Place, path: str) -> Inputs:
        """Of one operation, with what its path says for all of its methods.

        Raises:
            Invalid: if it cannot be called.
        """
        made, free = Inputs(), Names()
        body = self._document.found(operation.at("requestBody"))
        if body.fields:
            free.new(BODY)
        for place in self._parameters(item, operation, path):
            self._add_parameter(made, free, place)
        if body.fields:
            self._add_body(made, body)
        return made

    def _parameters(self, item: Place, operation: Place, path: str) -> Iterable[Place]:
        """Path first, for it has the best claim to its names; an operation's own before others."""
        in_path = re.findall(r"\{([^{}/]+)\}", path)
        found = {("path", name): _undeclared(item, name) for name in in_path}
        for owner in (item, operation):
            for _, each in owner.each("parameters"):
                place = self._document.found(each)
                location, name = place.fields.get("in"), place.fields.get("name")
                if not isinstance(name, str) or not name or str(location) not in STYLES:
                    raise Invalid(f"a parameter is in {str(location)[:40]!r}, which is nowhere")
                if location == "header" and not is_token(name):
                    raise Invalid(f"no header can be called {name[:40]!r}")
                key = str(location), name
                found[key] = place
        order = list(STYLES)
        for location, name in sorted(found, key=lambda key: order.index(key[0])):  # type: ignore[arg-type]  # known by now
            given = self._credentials.gives(location, name)
            own = location == "header" and name.lower() in NOT_GIVEN
            lost = location == "path" and name not in in_path
            if not (given or own or lost):
                yield found[location, name]

    def _add_parameter(self, made: Inputs, free: Names, place: Place) -> None:
        fields = place.fields
        location: Location = fields["in"]
        name = free.new(*field_names(fields["name"], location))
        style = fields.get("style", STYLES[location][0])
        if style not in STYLES[location]:
            self._warn(f"{place.pointer}: the style {str(style)[:40]} is unknown in {location}")
            style = STYLES[location][0]
        contents = list(place.each("content"))
        explode = fields.get("explode")
        made.parameters.append(
            Parameter(
                field=name,
                name=fields["name"],
                location=location,
                style=style,
                explode=explode if isinstance(explode, bool) else style == "form",
                allow_reserved=fields.get("allowReserved") is True,
                json=bool(contents) and "json" in contents[0][0],
            )
        )
        schema = contents[0][1].at("schema") if contents else place.at("schema")
        written = self._schemas.written(schema)
        if not contents and schema.value is None:
            written = Written(schema={"type": "string"})
        required = location == "path" or fields.get("required") is True
        made.add(name, _described(written, fields.get("description")), required=required)

    def _add_body(self, made: Inputs, place: Place) -> None:
        kind, media = _preferred(list(place.each("content")))
        schema = self._document.found(media.at("schema"))
        written = self._schemas.written(media.at("schema"))
        plain = kind.partition(";")[0].strip().lower()
        form: dict[str, FormField] = {}
        is_binary = False
        if plain in (FORM, MULTIPART):
            form = self._form(media, schema)
            files = {name for name, each in form.items() if each.binary and plain == MULTIPART}
            written = _with_files(self._schemas.written(schema), files)
        elif not _is_json(plain):
            is_binary = not plain.startswith("text/") and "xml" not in plain
            written = Written(
                schema={"type": "string", **({"contentEncoding": "base64"} if is_binary else {})}
            )
        made.body = Body(content_type=kind, binary=is_binary, form=form)
        described = _described(written, place.fields.get("description"))
        made.add(BODY, described, required=place.fields.get("required") is True)

    def _form(self, media: Place, schema: Place) -> dict[str, FormField]:
        """How the properties of a form are written, as far as the document says."""
        form: dict[str, FormField] = {}
        for name, each in schema.each("properties"):
            said = media.at("encoding", name).fields
            part = self._document.found(each)
            items = self._document.found(part.at("items"))
            content_type = said.get("contentType")
            style = said.get("style")
            made = FormField(
                style=style if style in STYLES["query"] else None,
                explode=said.get("explode", style in (None, "form")) is True,
                allow_reserved=said.get("allowReserved") is True,
                content_type=content_type if isinstance(content_type, str) else None,
                binary=binary(part.fields) or binary(items.fields),
            )
            if made != FormField():
                form[name] = made
        return form


def _undeclared(item: Place, name: str) -> Place:
    """A parameter of which only the path tells."""
    value = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    return Place(value=value, url=item.url, pointer=item.pointer)


def _preferred(contents: list[tuple[str, Place]]) -> tuple[str, Place]:
    """The kind of body that is easiest to write."""
    if not contents:
        raise Invalid("a body of no known kind")

    def rank(content: tuple[str, Place]) -> int:
        kind = content[0].partition(";")[0].strip().lower()
        kinds = (kind == "application/json", _is_json(kind), kind == FORM, kind == MULTIPART)
        return kinds.index(True) if True in kinds else 4 + (not kind.startswith("text/"))

    kind, media = min(contents, key=rank)
    return ("application/json" if "*" in kind else kind), media


def _is_json(kind: str) -> bool:
    return kind in ("application/json", "*/*", "application/*") or kind.endswith(("+json", "/json"))


def _described(written: Written, description: object) -> Written:
    schema = written.schema
    if not isinstance(description, str) or not description or not isinstance(schema, dict):
        return written
    return Written(schema={**schema, "description": description}, names=written.names)


def _with_files(written: Written, files: set[str]) -> Written:
    schema = written.schema
    if not files or not isinstance(schema, dict) or "properties" not in schema:
        return written
    properties = {
        name: _file(each) if name in files else each for name, each in schema["properties"].items()
    }
    return Written(schema={**schema, "properties": properties}, names=written.names)


def _file(schema: Any) -> dict[str, Any]:
    described = {word: schema[word] for word in ("description",) if word in schema}
    if isinstance(schema, dict) and schema.get("type") == "array":
        return {"type": "array", "items": _FILE, **described}
    return {**_FILE, **described}
