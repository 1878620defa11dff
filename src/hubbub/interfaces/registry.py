"""The hub as a registry: what it knows of MCP servers, as the official registry would say it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.errors import error_response
from hubbub.kernel.errors import AccessDenied, HubError, Invalid, NotFound
from hubbub.kernel.paging import decode_cursor, encode_cursor
from hubbub.mcpservers import published, registry_store
from hubbub.mcpservers.operations import REGISTRY_READ
from hubbub.protocol.codec import encode
from hubbub.storage.database import Database

LIMIT: Final = 30
LIMIT_MAX: Final = 100
SEARCH_CHARS_MAX: Final = 200
ALIKE_MAX: Final = 100


class RegistryDoor:
    """`GET /v0.1/servers` and what is below it."""

    def __init__(self, *, entrance: Entrance, database: Database) -> None:
        self._entrance = entrance
        self._database = database

    def routes(self) -> Sequence[Route]:
        """Where it stands. Names of servers have a slash in them."""
        one = "/v0.1/servers/{name:path}/versions"
        return (
            Route("/v0.1/servers", self.servers, methods=["GET"]),
            Route(one, self.versions, methods=["GET"]),
            Route(f"{one}/{{version}}", self.version, methods=["GET"]),
        )

    async def servers(self, request: Request) -> Response:
        """The servers, page by page, in the order of their names."""
        try:
            await self._let_in(request)
            asked = request.query_params
            limit = _limit(asked.get("limit"))
            (after,) = decode_cursor(asked["cursor"], 1) if asked.get("cursor") else ("",)
            version = asked.get("version")
            async with self._database.reading() as tx:
                names = await registry_store.names(
                    tx,
                    search=(asked.get("search") or "")[:SEARCH_CHARS_MAX],
                    version=None if version == "latest" else version,
                    since=_moment(asked.get("updated_since")),
                    after=after,
                    limit=limit + 1,
                )
                rows = await registry_store.by_names(tx, names[:limit])
        except HubError as error:
            return _refused(error)
        found = [published.response(each) for each in published.by_name(rows).values()]
        metadata: dict[str, object] = {"count": len(found)}
        if len(names) > limit:
            metadata["nextCursor"] = encode_cursor(names[limit - 1])
        return _json({"servers": found, "metadata": metadata})

    async def versions(self, request: Request) -> Response:
        """The versions of a server: the hub keeps the newest."""
        try:
            found = await self._found(request)
        except HubError as error:
            return _refused(error)
        return _json({"servers": [found], "metadata": {"count": 1}})

    async def version(self, request: Request) -> Response:
        """One version of a server."""
        wanted = request.path_params["version"]
        try:
            found = await self._found(request)
            if wanted not in ("latest", published.version_of(found)):
                raise NotFound("Server version not found")
        except HubError as error:
            return _refused(error)
        return _json(found)

    async def _found(self, request: Request) -> dict[str, object]:
        await self._let_in(request)
        name = request.path_params["name"]
        async with self._database.reading() as tx:
            alike = await registry_store.names_like(tx, published.looked_for(name), ALIKE_MAX)
            same = [each for each in alike if published.published_name(each) == name]
            rows = await registry_store.by_names(tx, same[:1])
        if not rows:
            raise NotFound("Server not found")
        return published.response(rows)

    async def _let_in(self, request: Request) -> None:
        caller = await self._entrance.enter(request)
        if not caller.has(REGISTRY_READ):
            raise AccessDenied("the registry is not open to you", required=REGISTRY_READ)


def _limit(said: str | None) -> int:
    if said is None:
        return LIMIT
    if not said.isdecimal() or not 1 <= int(said[:9]) <= LIMIT_MAX:
        raise _unfit("limit", f"1 to {LIMIT_MAX}")
    return int(said)


def _moment(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
        moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise _unfit("updated_since", "a moment as RFC 3339 writes it") from error
    if moment.tzinfo is None:
        raise _unfit("updated_since", "a moment with its time zone")
    return moment


def _unfit(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])


def _refused(error: HubError) -> Response:
    """An error as the official registry tells it: in a sentence."""
    response = error_response(error)
    headers = {key: each for key, each in response.headers.items() if key != "content-length"}
    return Response(encode({"error": error.message}), response.status_code, headers)


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")
