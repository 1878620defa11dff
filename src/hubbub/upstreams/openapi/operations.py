"""What callers may do with HTTP APIs that an OpenAPI document describes."""

import asyncio
import importlib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from hubbub.identity.trail import note
from hubbub.kernel.errors import Conflict, Invalid, NotFound
from hubbub.kernel.ids import new_id
from hubbub.operations.context import Context, Writing
from hubbub.operations.inputs import Input
from hubbub.operations.operation import Errors, operation
from hubbub.protocol.codec import encode
from hubbub.protocol.signatures import OperationType
from hubbub.services import access, configuration, references
from hubbub.services import store as services
from hubbub.services.encryption import Encrypted
from hubbub.services.events import ClientChanged
from hubbub.services.model import HTTP_API, Client
from hubbub.services.operations import (
    ClientName,
    ClientView,
    NewClient,
    check_name,
    check_new,
    created,
    view,
)
from hubbub.services.secret_operations import SecretName, SecretValue, check_keys, check_room
from hubbub.services.secrets import Secrets
from hubbub.storage.transaction import WriteTransaction
from hubbub.upstreams.openapi import store
from hubbub.upstreams.openapi.document import resolved
from hubbub.upstreams.openapi.security import Secret
from hubbub.upstreams.openapi.store import Changes
from hubbub.upstreams.openapi.translation import Imported, imported

SHOWN_MAX: Final = 200
PARTS_MAX: Final = 500
UNREADABLE: Final[Errors] = {
    Invalid: "the document is none, or does not say where the API is; says what is missing"
}


class Source(Input, frozen=True, kw_only=True):
    name: ClientName
    """The name of the client, and the namespace of its operations."""
    url: str | None = None
    """Where the document is, for the hub to fetch."""
    text: str | None = None
    """The document itself, in JSON or YAML. With a `url`, it is read as if it stood there."""
    parts: Annotated[dict[str, str], msgspec.Meta(max_length=PARTS_MAX)] = {}
    """The texts of other documents that it refers to, by their URLs, or their paths relative to
    it. What is beside it on the same server need not be given."""
    base_url: str | None = None
    """Where the API is, if not where the document says."""


class Import(Source, frozen=True, kw_only=True):
    config: dict[str, object] = {}
    """Fields of the client's config, in place of those that the document suggests."""
    secrets: dict[SecretName, SecretValue] = {}
    """By the names under which the config refers to them. They are stored encrypted."""
    enabled: bool | None = None
    """By default a new client is, and one that is there stays as it is."""
    org_id: str | None = None
    """The organization to which a new client belongs."""


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An operation in one line."""

    id: str
    type: OperationType
    method: str
    path: str
    description: str


class Preview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an import would come to."""

    title: str
    count: int
    """How many operations there are."""
    operations: list[Summary]
    """The first of them."""
    config: dict[str, object]
    """As the client would be configured."""
    secrets: list[Secret]
    """What has to be given before the API lets anybody in."""
    warnings: list[str]
    """What of the document could not be taken as it stands."""


class ImportResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an import came to."""

    client: ClientView
    count: int
    """How many operations the client has now."""
    added: list[str]
    changed: list[str]
    removed: list[str]
    missing: list[Secret]
    """Secrets to which the config refers and which nobody has set."""
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A document, and where it was found in the end."""

    made: Imported
    url: str | None


class OpenApiOperations:
    """HTTP APIs, as their documents describe them."""

    namespace = "openapi"

    def __init__(self, secrets: Secrets, reserved: Set[str]) -> None:
        self._secrets = secrets
        self._reserved = reserved  # first segments of the hub's own namespaces

    @operation(scope="clients:write", reads=True, errors=UNREADABLE)
    async def preview(self, ctx: Context, source: Source) -> Preview:
        """Read an OpenAPI document, and change nothing: what would be imported, and how."""
        check_name(source.name, self._reserved)
        made = (await _read(source)).made
        return Preview(
            title=made.title,
            count=len(made.specs),
            operations=[
                Summary(
                    id=spec.id,
                    type=spec.type,
                    method=str(spec.meta["method"]),
                    path=str(spec.meta["path"]),
                    description=spec.title or spec.description.partition("\n")[0],
                )
                for spec in made.specs[:SHOWN_MAX]
            ],
            config=msgspec.json.decode(encode(made.config)),
            secrets=list(made.secrets),
            warnings=list(made.warnings),
        )

    @operation(
        scope="clients:write",
        sensitive=True,
        errors={
            **UNREADABLE,
            Conflict: "the name is another client's, or an operation is somebody else's",
            NotFound: "there is no such organization, or the client is none that you may see",
        },
    )
    async def import_(self, ctx: Context, source: Import) -> ImportResult:
        """Make an HTTP API a client, and its OpenAPI document the client's operations.

        Imported again under the same name, the document takes the place of the older one: what is
        gone from it is removed, and the config stays but for what is given.
        """
        check_name(source.name, self._reserved)
        check_keys(source.secrets)
        found = await _read(source)
        async with ctx.database.reading() as reading:
            known = await services.by_name(reading, source.name)
            stored = await services.secrets(reading, known.id) if known is not None else []
        # To encrypt takes a while, and is not begun in vain.
        check_room(len({each.name for each in stored} | source.secrets.keys()))
        id = new_id() if known is None else known.id
        values = await self._secrets.encrypted(id, source.secrets)

        async def work(tx: WriteTransaction) -> tuple[Client, Changes, set[str]]:
            writing = ctx.writing(tx)
            client = await _client(writing, id, found, source, values)
            changes = await store.replace(tx, client, found.made.specs, ctx.now)
            await _note(writing, client, changes)
            return client, changes, {each.name for each in await services.secrets(tx, id)}

        client, changes, names = await ctx.database.write(work)
        return ImportResult(
            client=view(client),
            count=len(found.made.specs),
            added=list(changes.added),
            changed=list(changes.changed),
            removed=list(changes.removed),
            missing=_missing(client, found, names),
            warnings=list(found.made.warnings),
        )


async def _client(
    ctx: Writing, id: str, found: _Read, source: Import, secrets: Mapping[str, Encrypted]
) -> Client:
    """The client with the name that is asked for, as it is from now on."""
    known = await services.by_name(ctx.tx, source.name)
    if known is None:
        config = configuration.checked(HTTP_API, _config(found, source, {}))
        new = NewClient(
            name=source.name,
            type=HTTP_API,
            config={},
            enabled=source.enabled is not False,
            org_id=source.org_id,
        )
        await check_new(ctx, new)
        return await created(ctx, id, new, config, dict(secrets))
    client = await access.changeable(ctx.tx, ctx.caller, known.id)
    if client.type != HTTP_API or client.id != id:
        raise Conflict("another client has this name", name=source.name)
    before = msgspec.json.decode(client.config, type=dict[str, object])
    await services.change(
        ctx.tx,
        id,
        ctx.now,
        config=configuration.checked(HTTP_API, _config(found, source, before)),
        enabled=client.enabled if source.enabled is None else source.enabled,
    )
    stored = {each.name for each in await services.secrets(ctx.tx, id)}
    check_room(len(stored | secrets.keys()))
    for name, value in secrets.items():
        await services.put_secret(ctx.tx, id, name, value, None, ctx.now)
    ctx.tx.publish(ClientChanged(client_id=id))
    return await services.get(ctx.tx, id)


async def _note(ctx: Writing, client: Client, changes: Changes) -> None:
    await note(
        ctx,
        "openapi.imported",
        client=client.id,
        name=client.name,
        added=len(changes.added),
        changed=len(changes.changed),
        removed=len(changes.removed),
    )


def _missing(client: Client, found: _Read, stored: Set[str]) -> list[Secret]:
    """The secrets to which the config refers and that nobody has set."""
    described = {each.name: each for each in found.made.secrets}
    names = references.names(msgspec.json.decode(client.config))
    return [
        described.get(name) or Secret(name=name, description="the config refers to it")
        for name in sorted(names - stored)
    ]


def _config(found: _Read, source: Import, before: Mapping[str, object]) -> dict[str, object]:
    """The config of the client: what is given, over what was before, over what is suggested."""
    suggested: dict[str, Any] = msgspec.json.decode(encode(found.made.config))
    config = {**suggested, **before, **source.config}
    if source.base_url is not None:
        config["baseUrl"] = suggested["baseUrl"]
    if found.url is not None:
        config["document"] = found.url
    return config


async def _read(source: Source) -> _Read:
    url, text = source.url, source.text
    if url is None and text is None:
        raise Invalid(
            "there is no document", errors=[{"field": "text", "expected": "a document, or a `url`"}]
        )
    raw: bytes | str
    if text is None:
        assert url is not None
        raw, url = await _fetched(url, moves=True)
    else:
        raw = text
    made = await imported(
        raw,
        url or "",
        name=source.name,
        base_url=source.base_url,
        fetch=_fetch_part if url is not None else _ask_for_part,
        given={
            resolved(url or "", path): part.encode(errors="replace")
            for path, part in source.parts.items()
        },
    )
    return _Read(made=made, url=url)


async def _fetch_part(place: str) -> bytes:
    part, _ = await _fetched(place, moves=False)
    return part


async def _ask_for_part(place: str) -> bytes:
    raise Invalid(
        "the document refers to another one",
        errors=[{"field": "parts", "expected": f"the text of {place[:200]}"}],
    )


async def _fetched(url: str, *, moves: bool) -> tuple[bytes, str]:
    # What dials takes a while to load, and a hub starts sooner without it.
    fetching: Any = await asyncio.to_thread(
        importlib.import_module, "hubbub.upstreams.openapi.fetching"
    )
    found: tuple[bytes, str] = await fetching.fetched(url, moves=moves)
    return found
