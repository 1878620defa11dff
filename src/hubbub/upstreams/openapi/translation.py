"""A document as definitions of operations, and what it takes to call them. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urljoin, urlsplit

import anyio.to_thread

from hubbub.kernel.errors import Invalid, TooLarge
from hubbub.kernel.limits import REGISTERED_OPERATIONS_MAX
from hubbub.protocol.specs import OperationSpec
from hubbub.services.model import HttpApi
from hubbub.upstreams.openapi import inputs
from hubbub.upstreams.openapi.binding import Binding, meta_of
from hubbub.upstreams.openapi.document import Document, Fetch, Place, loaded
from hubbub.upstreams.openapi.inputs import InputReader
from hubbub.upstreams.openapi.names import Endpoint, operation_names
from hubbub.upstreams.openapi.outputs import OutputReader
from hubbub.upstreams.openapi.schemas import Schemas
from hubbub.upstreams.openapi.security import Requirement, Secret, credentials_of, requirements_of
from hubbub.upstreams.openapi.servers import base_url_of, fit, origin, url_of

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
WARNINGS_MAX: Final = 100
TEXT_CHARS_MAX: Final = 8000
LINE_CHARS_MAX: Final = 200


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a document comes to."""

    title: str
    specs: tuple[OperationSpec, ...]
    config: HttpApi
    """As it would be configured, secrets by reference."""
    secrets: tuple[Secret, ...]
    """Those that have to be given."""
    warnings: tuple[str, ...]
    """What of the document is not as it says."""


async def imported(
    text: str | bytes,
    url: str = "",
    *,
    name: str,
    base_url: str | None = None,
    fetch: Fetch | None = None,
    given: Mapping[str, bytes] | None = None,
) -> Imported:
    """The operations that a document describes, in the namespace `name`.

    Args:
        url: where the document stands; references and servers are read from there.
        base_url: where the API is, if not where the document says.
        fetch: reads what the document refers to elsewhere.
        given: what of that need not be read, by its URL.

    Raises:
        HubError: if it is no document, or too much of one; says why.
    """
    document = await loaded(text, url, fetch, given)
    # Thousands of schemas take seconds, and others want to be served meanwhile.
    return await anyio.to_thread.run_sync(translated, document, name, base_url)


def translated(document: Document, name: str, base_url: str | None = None) -> Imported:
    """The operations of a document, in the namespace `name`.

    Raises:
        HubError: if it does not say where the API is, or says too much.
    """
    lost: list[str] = []
    methods = list(_methods(document, lost))
    if len(methods) > REGISTERED_OPERATIONS_MAX:
        raise TooLarge("the document has too many operations", maximum=REGISTERED_OPERATIONS_MAX)
    if base_url is None:
        base_url = base_url_of(document)
    elif not fit(base_url):
        raise Invalid(
            "requests cannot be sent there",
            errors=[{"field": "baseUrl", "expected": "an http or https URL without a user"}],
        )
    translation = _Translation(document, name, base_url.rstrip("/"), methods)
    names = operation_names([method.endpoint for method in methods])
    made = [translation.spec(*each) for each in zip(names, methods, strict=True)]
    credentials = translation.credentials
    info = document.root.at("info").fields
    return Imported(
        title=_line(info.get("title")) or name,
        specs=tuple(spec for spec in made if spec is not None),
        config=HttpApi(
            base_url=translation.base_url, headers=credentials.headers, query=credentials.query
        ),
        secrets=tuple(credentials.secrets),
        warnings=(*lost, *translation.warnings)[: WARNINGS_MAX + 1],
    )


@dataclass(frozen=True, kw_only=True)
class _Method:
    """One method of one path, as the document has it."""

    endpoint: Endpoint
    item: Place
    place: Place

    def __str__(self) -> str:
        return f"{self.endpoint.method.upper()} {self.endpoint.path}"[:LINE_CHARS_MAX]


def _methods(document: Document, lost: list[str]) -> Iterator[_Method]:
    for path, place in document.root.each("paths"):
        if not path.startswith("/"):
            continue  # an extension
        try:
            item = document.found(place)
        except Invalid as error:
            lost.append(f"{path[:LINE_CHARS_MAX]} is left out: {_reason(error)}")
            continue
        for method in METHODS:
            operation = item.at(method)
            if operation.fields:
                said = operation.fields.get("operationId")
                id = said if isinstance(said, str) else None
                endpoint = Endpoint(method=method, path=path, operation_id=id)
                yield _Method(endpoint=endpoint, item=item, place=operation)


class _Translation:
    """One document on its way."""

    def __init__(
        self, document: Document, namespace: str, base_url: str, methods: Sequence[_Method]
    ) -> None:
        self.base_url = base_url
        self._document = document
        self._namespace = namespace
        self._warnings: dict[str, None] = {}
        self.credentials = credentials_of(document, map(self._requirements, methods))
        for scheme in self.credentials.unknown:
            self._warn(f"the security scheme {scheme[:LINE_CHARS_MAX]} is of no kind known here")
        sent = Schemas(document, self._warn, sent=True)
        self._schemas = sent
        self._inputs = InputReader(document, sent, self.credentials, self._warn)
        self._outputs = OutputReader(document, Schemas(document, self._warn, sent=False))

    @property
    def warnings(self) -> tuple[str, ...]:
        every = list(self._warnings)
        more = len(every) - WARNINGS_MAX
        return tuple(every[:WARNINGS_MAX] + ([f"and {more} more"] if more > 0 else []))

    def spec(self, name: str, method: _Method) -> OperationSpec | None:
        """One operation; None where it cannot be called."""
        try:
            return self._spec(name, method)
        except Invalid as error:
            self._warn(f"{method} is left out: {_reason(error)}")
            return None

    def _spec(self, name: str, method: _Method) -> OperationSpec:
        fields, place, at = method.place.fields, method.place, str(method)
        taken = self._inputs.inputs(method.item, place, method.endpoint.path)
        safe = method.endpoint.method in ("get", "head")
        streams = self._outputs.streams(place)
        summary, described = _line(fields.get("summary")), _text(fields.get("description"))
        version = self._document.root.at("info").fields.get("version")
        binding = Binding(
            method=method.endpoint.method.upper(),
            # Documents tell operations on one path apart by what a server does not see.
            path=method.endpoint.path.partition("#")[0],
            summary=summary or None,
            operation_id=method.endpoint.operation_id,
            deprecated=fields.get("deprecated") is True,
            base_path=self._base_path(method),
            parameters=tuple(taken.parameters),
            body=taken.body,
            accept=self._outputs.accept(place),
            security=tuple(self._requirements(method)),
        )
        return OperationSpec(
            namespace=self._namespace,
            name=name,
            type="subscription" if streams else "query" if safe else "mutation",
            version=_line(version) or "1.0.0",
            title=summary or None if described else None,
            description=described or summary or at,
            tags=tuple(filter(None, (_line(tag.value) for _, tag in place.each("tags")))),
            input_schema=self._schemas.whole(taken.written, inputs.BYTES_MAX, at=at),
            output_schema=self._outputs.schema(place, at=at),
            error_schemas=self._outputs.errors(place, at=at),
            # Whatever changes something may have done so before its answer was lost.
            idempotent=safe,
            meta=meta_of(binding),
        )

    def _base_path(self, method: _Method) -> str | None:
        """What stands before the path of an operation that has a server of its own."""
        for owner in (method.place, method.item):
            for _, server in owner.each("servers"):
                # Of a document that is nowhere, its server is what it is read from.
                url = urljoin(f"{self.base_url}/", url_of(server))
                if not fit(url) or origin(url) not in self._origins:
                    raise Invalid("it is on another server, which is not to see the credentials")
                return urlsplit(url).path
        return None

    @cached_property
    def _origins(self) -> set[tuple[str, str, int]]:
        servers = [url_of(place) for _, place in self._document.root.each("servers")]
        return {origin(url) for url in (self.base_url, *servers) if fit(url)}

    def _requirements(self, method: _Method) -> list[Requirement]:
        own = "security" in method.place.fields
        return requirements_of(method.place if own else self._document.root)

    def _warn(self, text: str) -> None:
        self._warnings[text] = None


def _reason(error: Invalid) -> str:
    errors = error.details.get("errors")
    got = errors[0].get("got") if isinstance(errors, list) and errors else None
    return f"{error.message}: {got}" if got else error.message


def _line(text: object) -> str:
    if not isinstance(text, (str, int, float)):
        return ""
    return " ".join(str(text).split())[:LINE_CHARS_MAX]


def _text(text: object) -> str:
    if not isinstance(text, str):
        return ""
    text = text.strip()
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 1]}…"
