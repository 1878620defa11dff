"""Resources, prompts and completion of the MCP servers behind the hub, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, UnsetType

from hubbub.calls.model import Ask
from hubbub.interfaces.mcp import results
from hubbub.interfaces.mcp.asking import Asking, Calling
from hubbub.interfaces.mcp.names import Named, published, qualified
from hubbub.interfaces.mcp.tasks import TaskRef, Tasks, require
from hubbub.interfaces.mcp.templates import matches
from hubbub.interfaces.mcp.views import Views
from hubbub.kernel.errors import HubError
from hubbub.kernel.paging import decode_cursor, encode_cursor
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    RESOURCE_NOT_FOUND,
    RpcError,
)
from hubbub.upstreams.servers import Server

PAGE: Final = 1000

Item = Mapping[str, Any]
"""A resource, a template or a prompt, as its server gave it."""


class Paged(msgspec.Struct, frozen=True):
    """The parameters of a list."""

    cursor: str | None = None


class ResourceRef(msgspec.Struct, frozen=True):
    uri: str


class PromptRef(msgspec.Struct, frozen=True):
    name: str
    arguments: Raw | UnsetType = msgspec.UNSET


class _Ref(msgspec.Struct, frozen=True):
    type: str
    name: str = ""
    uri: str = ""


class Completing(msgspec.Struct, frozen=True):
    ref: _Ref
    argument: Raw
    context: Raw | UnsetType = msgspec.UNSET


class Features:
    """What MCP servers have besides tools."""

    def __init__(self, views: Views, calling: Calling, tasks: Tasks) -> None:
        self._views = views
        self._tasks = tasks
        self._calling = calling

    def resources(self, asking: Asking) -> bytes:
        """The resources that servers list; the first server's, where several have one URI."""
        return _page(asking, "resources", _unique(self._servers(asking), "resources", "uri"))

    def templates(self, asking: Asking) -> bytes:
        """The templates of URIs."""
        found = _unique(self._servers(asking), "templates", "uriTemplate")
        return _page(asking, "resourceTemplates", found)

    def prompts(self, asking: Asking) -> bytes:
        """The prompts, under names that tell them apart."""
        found = self._prompts(asking)
        return _page(asking, "prompts", {n: {**found[n][1], "name": n} for n in sorted(found)})

    async def read(self, asking: Asking) -> bytes:
        """The contents of a resource, from the server that has it."""
        uri = asking.request.read(ResourceRef).uri
        server = self.owner(asking, uri)
        return await self._asked(asking, server, "readResource", {"uri": uri}, cacheable=True)

    async def prompt(self, asking: Asking) -> bytes:
        """A prompt, filled in."""
        ref = asking.request.read(PromptRef)
        server, prompt = self._prompt(asking, ref.name)
        input: dict[str, object] = {"name": prompt["name"]}
        if isinstance(ref.arguments, Raw) and ref.arguments != Raw(b"null"):
            input["arguments"] = ref.arguments
        return await self._asked(asking, server, "getPrompt", input)

    async def complete(self, asking: Asking) -> bytes:
        """What an argument of a prompt or of a template may go on with."""
        asked = asking.request.read(Completing)
        if asked.ref.type == "ref/prompt":
            server, prompt = self._prompt(asking, asked.ref.name)
            ref: dict[str, object] = {"type": asked.ref.type, "name": prompt["name"]}
        else:
            server = self.owner(asking, asked.ref.uri)
            ref = {"type": asked.ref.type, "uri": asked.ref.uri}
        input: dict[str, object] = {"ref": ref, "argument": asked.argument}
        if isinstance(asked.context, Raw):
            input["context"] = asked.context
        return await self._asked(asking, server, "complete", input)

    async def task(self, asking: Asking) -> bytes:
        """What is asked of a task: how it stands, to hear an answer, to stop."""
        require(asking.capabilities)
        method, ref = asking.request.method, asking.request.read(TaskRef)
        ask = self._tasks.elsewhere(asking.caller, method, ref)
        if ask is None:
            return results.own(self._tasks.answered(method, ref), modern=True)
        return await self._carried(asking, ask)

    def owner(self, asking: Asking, uri: str) -> Server:
        """The server that lists this URI, or has a template that makes it.

        Raises:
            RpcError: if there is none.
        """
        servers = [each for each in self._servers(asking) if "resources" in each.capabilities]
        for server in servers:
            if any(item.get("uri") == uri for item in server.resources):
                return server
        for server in servers:
            templates = (str(item.get("uriTemplate", "")) for item in server.templates)
            if any(template == uri or matches(template, uri) for template in templates):
                return server
        # Servers may have more than they list. Where there is but one, it can be asked.
        if len(servers) == 1:
            return servers[0]
        code = INVALID_PARAMS if asking.modern else RESOURCE_NOT_FOUND
        raise RpcError(code, "no server has this resource", {"uri": uri})

    def _servers(self, asking: Asking) -> list[Server]:
        return self._views.servers(asking.view, asking.identity)

    def _prompts(self, asking: Asking) -> dict[str, tuple[Server, Item]]:
        found = {
            f"{server.client_id}/{item.get('name')}": (server, item)
            for server in self._servers(asking)
            for item in server.prompts
        }
        named = published(
            Named(key, server.name, str(item.get("name"))) for key, (server, item) in found.items()
        )
        return {name: found[key] for name, key in named.items()}

    def _prompt(self, asking: Asking, name: str) -> tuple[Server, Item]:
        found = self._prompts(asking)
        if name in found:
            return found[name]
        for server, item in found.values():
            if qualified(server.name, str(item.get("name"))) == name:
                return server, item
        raise RpcError(INVALID_PARAMS, f"there is no prompt {name[:200]}")

    async def _asked(
        self,
        asking: Asking,
        server: Server,
        what: str,
        input: Mapping[str, object],
        *,
        cacheable: bool = False,
    ) -> bytes:
        ask = Ask(operation_id=f"mcp.{what}", input=Raw(encode(input)), provider=server.client_id)
        resumes = server.era == "modern"
        return await self._carried(asking, ask, resumes=resumes, cacheable=cacheable)

    async def _carried(
        self, asking: Asking, ask: Ask, *, resumes: bool = False, cacheable: bool = False
    ) -> bytes:
        """What a server answers.

        Raises:
            RpcError: what it answered instead of a result, or that it could not be asked.
        """
        try:
            (output,) = await self._calling.answers(asking, ask, resumes=resumes)
        except HubError as error:
            raise results.rpc_error_of(error) or RpcError(
                INTERNAL_ERROR, f"{error.name}: {error.message}", error.details
            ) from error
        data = results.data_of(output)
        return results.relayed(data, modern=asking.modern, cacheable=cacheable)


def _unique(servers: Iterable[Server], what: str, key: str) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for server in servers:
        items: Sequence[Item] = getattr(server, what)
        for item in items:
            found.setdefault(str(item.get(key)), item)
    return found


def _page(asking: Asking, what: str, items: Mapping[str, Item]) -> bytes:
    """A page of a list, in the order that it has."""
    keys = list(items)
    start = 0
    cursor = asking.request.read(Paged).cursor
    if cursor:
        after = cursor_key(cursor)
        start = keys.index(after) + 1 if after in items else 0
    shown = keys[start : start + PAGE]
    page: dict[str, Any] = {what: [items[key] for key in shown]}
    if start + PAGE < len(keys):
        page["nextCursor"] = encode_cursor(shown[-1])
    return results.own(page, modern=asking.modern, cached=results.CACHED)


def cursor_key(cursor: str) -> str:
    """Where a page begins.

    Raises:
        RpcError: if the cursor is none that was given.
    """
    try:
        return decode_cursor(cursor, 1)[0]
    except HubError as error:
        raise RpcError(INVALID_PARAMS, error.message) from error
