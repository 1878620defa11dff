"""What an operation answers with, and how it may fail. No I/O."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from hubbub.kernel.errors import Invalid
from hubbub.protocol.specs import ErrorDefinition
from hubbub.upstreams.openapi.document import Document, Place
from hubbub.upstreams.openapi.response import EVENTS, http_status_of
from hubbub.upstreams.openapi.schemas import OPEN, Schema, Schemas, Written

BYTES_MAX: Final = 32 * 1024
ERROR_BYTES_MAX: Final = 4 * 1024
ERRORS_MAX: Final = 40
ACCEPTED_MAX: Final = 10


class OutputReader:
    """Reads what the operations of one document answer with."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas

    def streams(self, operation: Place) -> bool:
        """Whether it answers with events, as many as there come."""
        return any(
            kind == EVENTS
            for status, response in self._responses(operation)
            if status in ("200", "201")
            for kind, _ in _contents(response)
        )

    def schema(self, operation: Place, *, at: str) -> Schema:
        """Of its answer; of one event, where it streams."""
        streams = self.streams(operation)
        found: list[Written] = []
        for status, response in self._successes(operation):
            written = self._answer(response, streams=streams and status in ("200", "201"))
            if written not in found:
                found.append(written)
        if not found or any(each.schema in ({}, True) for each in found):
            return {}
        if len(found) == 1:
            return self._schemas.whole(found[0], BYTES_MAX, at=at)
        names = frozenset[str]().union(*(each.names for each in found))
        either = Written(schema={"anyOf": [each.schema for each in found]}, names=names)
        return self._schemas.whole(either, BYTES_MAX, at=at)

    def accept(self, operation: Place) -> str:
        """The kinds of content that it may answer with, the one that is wanted first."""
        kinds = [kind for _, each in self._successes(operation) for kind, _ in _contents(each)]
        kinds = [kind for kind in dict.fromkeys(kinds) if _sendable(kind)]
        first = EVENTS if self.streams(operation) else "application/json"
        kinds.sort(key=lambda kind: (kind != first, "json" not in kind))
        return ", ".join([*kinds[:ACCEPTED_MAX], "*/*;q=0.5"] if kinds else [first, "*/*;q=0.5"])

    def errors(self, operation: Place, *, at: str) -> tuple[ErrorDefinition, ...]:
        """Answers that are errors, as those that it declares."""
        declared: dict[str, ErrorDefinition] = {}
        responses = dict(self._responses(operation))
        for status, response in sorted(responses.items()):
            for code in _error_codes(status, responses):
                description = response.fields.get("description")
                number = int(code) if code.isdecimal() else None
                declared[code] = ErrorDefinition(
                    code=f"HTTP_{code}",
                    description=_line(description) or _phrase(code),
                    schema=self._error_schema(response, at),
                    http_status=None if number is None else http_status_of(number),
                )
        return tuple(declared[code] for code in sorted(declared))[:ERRORS_MAX]

    def _error_schema(self, response: Place, at: str) -> dict[str, object]:
        """Of the details: the status, and what was in the answer."""
        written = self._answer(response, streams=False)
        whole = self._schemas.whole(written, ERROR_BYTES_MAX, at=at)
        if not isinstance(whole, dict) or not whole:
            return {}
        defs = {"$defs": whole["$defs"]} if "$defs" in whole else {}
        body = {word: part for word, part in whole.items() if word != "$defs"}
        return {"type": "object", "properties": {"body": body}, **defs}

    def _answer(self, response: Place, *, streams: bool) -> Written:
        contents = _contents(response)
        if not contents:
            return Written(schema={"type": "null"})
        wanted = [media for kind, media in contents if kind == EVENTS] if streams else []
        wanted += [media for kind, media in contents if "json" in kind]
        if wanted:
            schema = wanted[0].at("schema")
            if streams and "itemSchema" in wanted[0].fields:
                schema = wanted[0].at("itemSchema")
            return self._schemas.written(schema) if schema.value is not None else OPEN
        text = all(kind.startswith("text/") or "xml" in kind for kind, _ in contents)
        return Written(schema={"type": "string"}) if text else OPEN

    def _successes(self, operation: Place) -> list[tuple[str, Place]]:
        every = list(self._responses(operation))
        good = [each for each in every if each[0].startswith("2")]
        return good or [each for each in every if each[0] == "default"]

    def _responses(self, operation: Place) -> Iterator[tuple[str, Place]]:
        for status, place in operation.each("responses"):
            try:
                yield status.upper().replace("DEFAULT", "default"), self._document.found(place)
            except Invalid:
                continue  # that it may answer so is all that there is to know


def _contents(response: Place) -> list[tuple[str, Place]]:
    every = response.each("content")
    return [(kind.partition(";")[0].strip().lower(), media) for kind, media in every]


def _error_codes(status: str, responses: dict[str, Place]) -> list[str]:
    """`default` stands for all that is not said otherwise."""
    if status == "default" and any(each.startswith("2") for each in responses):
        return [code for code in ("4XX", "5XX") if code not in responses]
    if status in ("4XX", "5XX") or (status.isdecimal() and 400 <= int(status) <= 599):
        return [status]
    return []


def _phrase(code: str) -> str:
    try:
        return HTTPStatus(int(code)).phrase
    except ValueError:
        return "Any error of the server" if code.startswith("5") else "Any error of the caller"


def _line(text: object) -> str:
    return " ".join(text.split())[:500] if isinstance(text, str) else ""


def _sendable(kind: str) -> bool:
    return kind.isascii() and kind.isprintable() and "," not in kind and "/" in kind
